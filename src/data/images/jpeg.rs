//! Whether a JPEG is whole: its entropy-coded data are walked block by block (ITU-T T.81, annexes F and G).
//!
//! Decoders fill what is missing with grey and say nothing. Here every block that the header promises has to be
//! there, and a marker has to follow the last one of a scan, so that a cut, a hole or a wrong height shows.
//! What kind of JPEG it is, and the pixels, are the decoder's business.

use std::iter::repeat_n;

mod bits;

use bits::{Bits, Code, Fault};

/// Markers without a length.
const STANDALONE: [u8; 10] = [0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8];

/// Colours of an image at most: four, as printers have.
const MOST_COLOURS: usize = 4;

/// Scans of an image at most: one for each bit of each coefficient would not be as many.
const MOST_SCANS: usize = 1000;

/// Blocks of an image that are walked at most, over all scans.
const MOST_BLOCKS: u64 = 1 << 28;

/// Checks that all data of an image are there. Trailers after its end do not belong to it.
///
/// # Errors
/// What is missing, in words.
pub(super) fn check_whole(bytes: &[u8]) -> Result<(), String> {
    let mut walk = Walk { bytes, at: 2, ..Walk::default() };
    match walk.image() {
        Ok(()) => Ok(()),
        Err(Fault::Short(at)) => {
            Err(format!("its data end early, at byte {at}: a part is missing"))
        }
        Err(Fault::Over(at)) => Err(format!(
            "at byte {at} its data go on after the last row: a part is damaged or missing, or its height is \
             wrong"
        )),
        Err(Fault::Code(at)) => Err(format!("its data are damaged before byte {at}")),
        Err(Fault::Truncated) => Err(format!("truncated after {} bytes", bytes.len())),
        Err(Fault::Absurd) => Err("its scans would take more work than an image is worth".into()),
        // The decoder will have its own word.
        Err(Fault::Foreign) => Ok(()),
    }
}

/// A colour.
#[derive(Debug, Default)]
struct Component {
    id: u8,
    /// Blocks of an MCU, horizontally and vertically.
    sampling: [usize; 2],
    /// Rows and columns of blocks, where a scan has it alone.
    own: [usize; 2],
    /// Blocks of a row, as MCUs pad it.
    padded: usize,
    /// Coefficients that are not zero, a bit each; of progressive images only.
    seen: Vec<u64>,
    /// Whether a scan has had it.
    had: bool,
}

#[derive(Debug, Default)]
struct Frame {
    progressive: bool,
    /// Rows and columns of MCUs.
    mcus: [usize; 2],
    components: Vec<Component>,
}

/// What a scan codes: which coefficients, and whether for the first time.
#[derive(Debug, Clone, Copy)]
struct Spectrum {
    first: usize,
    last: usize,
    refines: bool,
}

/// A component of a scan, with its codes.
#[derive(Debug, Clone, Copy)]
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

#[derive(Debug, Default)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    dc: [Option<Code>; 4],
    ac: [Option<Code>; 4],
    restart: usize,
    frame: Frame,
    scans: usize,
    blocks: u64,
}

impl<'a> Walk<'a> {
    /// From the start of the image to its end.
    fn image(&mut self) -> Result<(), Fault> {
        loop {
            let Some(marker) = self.marker()? else {
                // All that a baseline image has may be there without its end.
                let whole = self.frame.components.iter().all(|c| c.had);
                let whole = whole && !self.frame.progressive && self.scans > 0;
                return if whole { Ok(()) } else { Err(Fault::Truncated) };
            };
            match marker {
                0xd9 if self.scans == 0 => return Err(Fault::Foreign),
                0xd9 => {
                    let whole = self.frame.components.iter().all(|component| component.had);
                    return if whole { Ok(()) } else { Err(Fault::Short(self.at)) };
                }
                marker if STANDALONE.contains(&marker) => continue,
                _ => {}
            }
            let segment = self.segment()?;
            match marker {
                0xc0..=0xc2 => self.frame(segment, marker == 0xc2)?,
                0xc4 => self.codes(segment)?,
                0xdb => self.quantisation(segment)?,
                // Lossless, hierarchical and arithmetic JPEGs.
                0xc3 | 0xc5..=0xcf => return Err(Fault::Foreign),
                0xdd => self.restart = usize::from(word(segment, 0)?),
                0xda => self.scan(segment)?,
                _ => {}
            }
        }
    }

    /// The next marker; nothing at the end of the file. Stray bytes may lie between the tables at the start.
    fn marker(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let here = self.bytes.get(self.at..).unwrap_or_default();
            let Some(stray) = here.iter().position(|byte| *byte == 0xff) else { return Ok(None) };
            if self.scans > 0 && stray > 0 {
                return Err(Fault::Code(self.at));
            }
            let Some(&code) = here.get(stray + 1) else { return Ok(None) };
            // Fill bytes are repeated; 0 is no marker.
            self.at += stray + if code == 0xff { 1 } else { 2 };
            if !matches!(code, 0x00 | 0xff) {
                return Ok(Some(code));
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::from(word(self.bytes, self.at).map_err(|_| Fault::Truncated)?);
        let segment = self.bytes.get(self.at + 2..self.at + length.max(2));
        self.at += length.max(2);
        segment.ok_or(Fault::Truncated)
    }

    /// The header: sizes and colours. There is one; what a second one would promise is never decoded.
    fn frame(&mut self, segment: &[u8], progressive: bool) -> Result<(), Fault> {
        if !self.frame.components.is_empty() {
            return Err(Fault::Code(self.at));
        }
        let (height, width) = (usize::from(word(segment, 1)?), usize::from(word(segment, 3)?));
        let colours = segment.get(6..).unwrap_or_default().chunks_exact(3);
        let mut components: Vec<Component> = colours
            .map(|colour| Component {
                id: colour[0],
                sampling: [usize::from(colour[1] >> 4), usize::from(colour[1] & 15)],
                ..Component::default()
            })
            .collect();
        let most = |axis: usize| components.iter().map(|c| c.sampling[axis]).max().unwrap_or(0);
        let (across, down) = (most(0), most(1));
        let valid = components.iter().all(|c| c.sampling.iter().all(|s| (1..=4).contains(s)));
        if height == 0 || width == 0 || !(1..=MOST_COLOURS).contains(&components.len()) || !valid {
            return Err(Fault::Foreign);
        }
        let mcus = [height.div_ceil(8 * down), width.div_ceil(8 * across)];
        let blocks: usize = components.iter().map(|c| c.sampling[0] * c.sampling[1]).sum();
        if (mcus[0] * mcus[1] * blocks) as u64 > MOST_BLOCKS {
            return Err(Fault::Absurd);
        }
        for component in &mut components {
            let [h, v] = component.sampling;
            component.own = [(height * v).div_ceil(8 * down), (width * h).div_ceil(8 * across)];
            component.padded = mcus[1] * h;
            if progressive {
                component.seen.extend(repeat_n(0, component.padded * mcus[0] * v));
            }
        }
        self.frame = Frame { progressive, mcus, components };
        Ok(())
    }

    fn codes(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        let damaged = Fault::Code(self.at);
        while let Some((&kind, rest)) = segment.split_first() {
            let (code, length) = Code::read(rest).ok_or(damaged)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(kind & 15)).ok_or(damaged)? = Some(code);
            segment = &rest[length..];
        }
        Ok(())
    }

    /// No step of a quantisation is 0.
    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        let damaged = Fault::Code(self.at);
        while let Some((&kind, rest)) = segment.split_first() {
            let width = 1 + usize::from(kind >> 4 & 1);
            let steps = rest.get(..64 * width).ok_or(damaged)?;
            if steps.chunks_exact(width).any(|step| step.iter().all(|byte| *byte == 0)) {
                return Err(damaged);
            }
            segment = &rest[64 * width..];
        }
        Ok(())
    }

    fn scan(&mut self, segment: &[u8]) -> Result<(), Fault> {
        if self.frame.components.is_empty() {
            return Err(Fault::Foreign);
        }
        let damaged = Fault::Code(self.at);
        let count = usize::from(*segment.first().ok_or(damaged)?);
        let named = segment.get(1..1 + 2 * count).ok_or(damaged)?;
        let mut parts = Vec::new();
        for name in named.chunks_exact(2) {
            let known = self.frame.components.iter().position(|c| c.id == name[0]);
            let component = known.ok_or(damaged)?;
            self.frame.components[component].had = true;
            let (dc, ac) = (usize::from(name[1] >> 4), usize::from(name[1] & 15));
            parts.push(Part { component, dc, ac });
        }
        let &[first, last, bits] = segment.get(1 + 2 * count..).unwrap_or_default() else {
            return Err(damaged);
        };
        let spectrum = Spectrum {
            first: usize::from(first),
            last: usize::from(last).min(63),
            refines: bits >> 4 != 0,
        };
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(Fault::Absurd);
        }
        self.at = self.blocks(&parts, spectrum)?;
        Ok(())
    }

    /// Walks the blocks of a scan; where the marker after it is.
    fn blocks(&mut self, parts: &[Part], spectrum: Spectrum) -> Result<usize, Fault> {
        let [rows, columns] = match parts {
            [alone] => self.frame.components[alone.component].own,
            _ => self.frame.mcus,
        };
        let mut bits = Bits::new(self.bytes, self.at);
        let mut run = 0;
        let units = rows * columns;
        for unit in 0..units {
            if self.restart > 0 && unit > 0 && unit.is_multiple_of(self.restart) {
                bits.restart((unit / self.restart - 1) % 8)?;
                run = 0;
            }
            let (row, column) = (unit / columns, unit % columns);
            for part in parts {
                let component = &self.frame.components[part.component];
                let ([h, v], padded) = (component.sampling, component.padded);
                let (across, down) = if parts.len() == 1 { (1, 1) } else { (h, v) };
                for y in 0..down {
                    for x in 0..across {
                        let place = (row * down + y) * padded + column * across + x;
                        self.block(&mut bits, part, place, spectrum, &mut run)?;
                    }
                }
            }
        }
        bits.end()
    }

    fn block(
        &mut self,
        bits: &mut Bits<'_>,
        part: &Part,
        place: usize,
        spectrum: Spectrum,
        run: &mut u32,
    ) -> Result<(), Fault> {
        self.blocks += 1;
        if self.blocks > MOST_BLOCKS {
            return Err(Fault::Absurd);
        }
        let dc = self.dc.get(part.dc).and_then(Option::as_ref);
        let ac = self.ac.get(part.ac).and_then(Option::as_ref);
        if !self.frame.progressive {
            // Films leave the usual tables out.
            return bits.sequential(dc.ok_or(Fault::Foreign)?, ac.ok_or(Fault::Foreign)?);
        }
        let Spectrum { first, last, refines } = spectrum;
        if first == 0 {
            return if refines {
                bits.skip(1)
            } else {
                bits.difference(dc.ok_or(Fault::Code(self.at))?)
            };
        }
        let ac = ac.ok_or(Fault::Code(self.at))?;
        let seen = self.frame.components[part.component].seen.get_mut(place);
        let seen = seen.ok_or(Fault::Foreign)?;
        if refines {
            bits.refined(ac, first..=last, seen, run)
        } else {
            bits.coefficients(ac, first..=last, seen, run)
        }
    }
}

/// Two bytes, the high one first.
fn word(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map(u16::from_be_bytes).ok_or(Fault::Foreign)
}
