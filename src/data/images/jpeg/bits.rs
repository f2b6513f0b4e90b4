//! The bits of a JPEG's scan: Huffman codes, and the blocks that they make up.

use std::ops::RangeInclusive;

/// What is wrong with a JPEG, with the byte where it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A marker, or the end of the file, before the last block.
    Short(usize),
    /// Data after the last block.
    Over(usize),
    /// A code that the table does not have, or more coefficients than a block holds.
    Code(usize),
    /// The file ends before the image does.
    Truncated,
    /// More scans than make sense.
    Absurd,
    /// Not a JPEG of a kind that is walked here.
    Foreign,
}

/// Bytes that some encoders leave between the last block and the marker, all 0 or all ones.
const PADDING: usize = 32;

/// Coefficients in a row that a run of zero bytes may make up. In an image each is as likely to be one of two
/// signs and of many sizes: this many of one kind are a hole that happens to hold whole blocks.
const ZEROS: u32 = 32;

/// Codes up to this length are looked up.
const SHORT: u32 = 9;

/// A Huffman code.
#[derive(Debug, Clone)]
pub(super) struct Code {
    /// Length and symbol by the next [`SHORT`] bits; length 0 for longer codes.
    short: Vec<(u8, u8)>,
    /// By length, from 1: the code after the last one of it, in 16 bits, and from a code to its symbol's place.
    long: [(u32, i32); 16],
    symbols: Vec<u8>,
}

impl Code {
    /// Reads a table: 16 counts by length, then the symbols. With the bytes it took.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let counts = bytes.get(..16)?;
        let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let symbols = bytes.get(16..16 + total)?.to_vec();
        let mut short = vec![(0, 0); 1 << SHORT];
        let mut long = [(0, 0); 16];
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            long[length as usize - 1].1 = place as i32 - code as i32;
            for _ in 0..count {
                if length <= SHORT {
                    let from = (code as usize) << (SHORT - length);
                    let same = short.get_mut(from..from + (1 << (SHORT - length)))?;
                    same.fill((length as u8, symbols[place]));
                }
                (code, place) = (code + 1, place + 1);
            }
            if code > 1 << length {
                return None;
            }
            long[length as usize - 1].0 = if count > 0 { code << (16 - length) } else { 0 };
            code <<= 1;
        }
        Some((Self { short, long, symbols }, 16 + total))
    }
}

/// A scan's bits.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next ones, the first on top.
    waiting: u64,
    count: u32,
    /// Coefficients so far in a row whose code and value are zero bits.
    zeros: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, waiting: 0, count: 0, zeros: 0 }
    }

    /// Takes bytes in up to the next marker.
    fn refill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.waiting |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Up to 32.
    pub(super) fn skip(&mut self, bits: u32) -> Result<(), Fault> {
        if self.count < bits {
            self.refill();
            if self.count < bits {
                return Err(Fault::Short(self.at));
            }
        }
        self.waiting <<= bits;
        self.count -= bits;
        Ok(())
    }

    fn take(&mut self, bits: u32) -> Result<u32, Fault> {
        if self.count < bits {
            self.refill();
        }
        let value = if bits == 0 { 0 } else { (self.waiting >> (64 - bits)) as u32 };
        self.skip(bits)?;
        Ok(value)
    }

    fn symbol(&mut self, code: &Code) -> Result<u8, Fault> {
        if self.count < 16 {
            self.refill();
        }
        let (length, symbol) = code.short[(self.waiting >> (64 - SHORT)) as usize];
        if length > 0 {
            self.skip(u32::from(length))?;
            return Ok(symbol);
        }
        let next = (self.waiting >> 48) as u32;
        for (length, &(end, place)) in (1_u32..).zip(&code.long).skip(SHORT as usize) {
            if next < end {
                self.skip(length)?;
                let place = (next >> (16 - length)) as i32 + place;
                let symbol = usize::try_from(place).ok().and_then(|at| code.symbols.get(at));
                return symbol.copied().ok_or(Fault::Code(self.at));
            }
        }
        // Beyond the data there are only zeros: no code is short of them.
        Err(if self.count < 16 { Fault::Short(self.at) } else { Fault::Code(self.at) })
    }

    /// The value of a coefficient whose symbol, of the code, has been read.
    fn value(&mut self, code: &Code, symbol: u8) -> Result<(), Fault> {
        let value = self.take(u32::from(symbol & 15))?;
        let is_zero = value == 0 && code.symbols.first() == Some(&symbol);
        self.zeros = if is_zero { self.zeros + 1 } else { 0 };
        if self.zeros > ZEROS { Err(Fault::Code(self.at)) } else { Ok(()) }
    }

    /// The difference of a block's mean from the last one's.
    pub(super) fn difference(&mut self, code: &Code) -> Result<(), Fault> {
        match self.symbol(code)? {
            size @ 0..=16 => self.skip(u32::from(size)),
            _ => Err(Fault::Code(self.at)),
        }
    }

    /// A block of a baseline image (section F.2.2).
    pub(super) fn sequential(&mut self, dc: &Code, ac: &Code) -> Result<(), Fault> {
        self.difference(dc)?;
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(ac)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (_, 0) => break,
                (zeros, _) => {
                    at += usize::from(zeros) + 1;
                    self.value(ac, symbol)?;
                }
            }
        }
        if at > 64 { Err(Fault::Code(self.at)) } else { Ok(()) }
    }

    /// Coefficients of a block for the first time (section G.1.2.2).
    pub(super) fn coefficients(
        &mut self,
        code: &Code,
        band: RangeInclusive<usize>,
        seen: &mut u64,
        run: &mut u32,
    ) -> Result<(), Fault> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut at = *band.start();
        while at <= *band.end() {
            let symbol = self.symbol(code)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (zeros, 0) => {
                    let zeros = u32::from(zeros);
                    *run = (1 << zeros) - 1 + self.take(zeros)?;
                    break;
                }
                (zeros, _) => {
                    at += usize::from(zeros);
                    if at > *band.end() {
                        return Err(Fault::Code(self.at));
                    }
                    *seen |= 1 << at;
                    self.value(code, symbol)?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of coefficients (section G.1.2.3): of each that is not zero, and of those that become so.
    pub(super) fn refined(
        &mut self,
        code: &Code,
        band: RangeInclusive<usize>,
        seen: &mut u64,
        run: &mut u32,
    ) -> Result<(), Fault> {
        let (mut at, last) = (*band.start(), *band.end());
        while *run == 0 && at <= last {
            let symbol = self.symbol(code)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            if size == 0 && zeros < 15 {
                let zeros = u32::from(zeros);
                *run = (1 << zeros) + self.take(zeros)?;
                break;
            }
            if size > 0 {
                self.skip(1)?; // the sign
            }
            while at <= last {
                if *seen >> at & 1 == 1 {
                    self.skip(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if size > 0 && at <= 63 {
                *seen |= 1 << at;
            }
            at += 1;
        }
        if *run > 0 {
            let rest = if at > last { 0 } else { *seen >> at << (63 - last + at) };
            self.skip_many(rest.count_ones())?;
            *run -= 1;
        }
        Ok(())
    }

    fn skip_many(&mut self, bits: u32) -> Result<(), Fault> {
        self.skip(bits / 2)?;
        self.skip(bits - bits / 2)
    }

    /// Where the marker after the last block is.
    pub(super) fn end(&mut self) -> Result<usize, Fault> {
        // What is left of a byte is padding; whole bytes are not.
        let mut left = Vec::new();
        let odd = self.count % 8;
        let last = self.take(odd)?;
        if last != 0 && last != (1 << odd) - 1 {
            return Err(Fault::Over(self.at));
        }
        while self.count >= 8 {
            left.push((self.waiting >> 56) as u8);
            self.skip(8)?;
        }
        let here = self.bytes.get(self.at..).unwrap_or_default();
        let marker =
            here.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
        let between = &here[..marker.unwrap_or(here.len())];
        let padding = |byte: &u8| matches!(byte, 0x00 | 0xff);
        if left.len() + between.len() > PADDING || !left.iter().chain(between).all(padding) {
            return Err(Fault::Over(self.at));
        }
        Ok(self.at + between.len())
    }

    /// Passes the restart marker of a number, which has to be next.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Fault> {
        let at = self.end()?;
        match self.bytes.get(at..at + 2) {
            Some([0xff, code]) if usize::from(*code) == 0xd0 + number => {}
            Some([0xff, 0xd0..=0xd7]) => return Err(Fault::Code(at)),
            _ => return Err(Fault::Short(at)),
        }
        *self = Self::new(self.bytes, at + 2);
        Ok(())
    }
}
