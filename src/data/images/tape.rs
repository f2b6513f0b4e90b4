//! The members of a tar, header by header: where each lies, and whether the archive is whole.
//!
//! Owns the format alone. The tar crate reads the fields; the walk is here because it has to see what that crate
//! steps over: where the archive ends, what follows, and members that hold no plain file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use tar::{EntryType, Header, PaxExtensions};

use crate::data::folder::is_hidden;
use crate::data::listing::Listing;
use crate::data::{bounded, gzip};
use crate::error::{Error, Result};
use crate::terms::Reason;

/// Headers and members start at multiples of this.
const BLOCK: u64 = 512;

/// What an archive should be, for those that are none.
pub(super) const EXPECTED: &str = "expected a tar of tars of JPEGs";

/// Longest record with a name that does not fit a header.
const LONGEST: u64 = 1 << 20;

/// Most members of an archive.
const MOST: usize = 1 << 24;

/// Zeros that may follow the end of an archive: programs fill a last record up, of some MiB at most.
const MOST_PADDING: u64 = 1 << 30;

/// A file in a tar: name, first byte in the whole file, length.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) len: u64,
}

/// A part of a file that is a tar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tape<'a> {
    pub(super) path: &'a Path,
    /// What messages call it.
    pub(super) name: &'a str,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Tape<'_> {
    /// The files in it. A tar that ends after a whole member, without the two blocks of zeros that end one,
    /// is taken as whole.
    ///
    /// # Errors
    /// [`Error::Data`] with the place of what is no tar, is cut short, or goes on after its end; and of links,
    /// sparse members and members of unknown type unless those are passed over.
    pub(super) fn members(&self, listing: &mut Listing) -> Result<Vec<Member>> {
        let mut file = File::open(self.path).map_err(Error::io("open", self.path))?;
        let mut members = Vec::new();
        let mut names = HashSet::new();
        let mut long = Long::default();
        let mut at = 0;
        while at < self.len {
            let header = self.read(&mut file, at, BLOCK)?;
            if header.iter().all(|byte| *byte == 0) {
                self.nothing_after(&mut file, at)?;
                break;
            }
            let header = Header::from_byte_slice(&header);
            self.check_sum(at, header)?;
            let kind = header.entry_type();
            let data = at + BLOCK;
            let size = long.size.unwrap_or_else(|| header.entry_size().ok());
            let size = size.ok_or_else(|| self.fault(at, "a size that is not a number"))?;
            let end = data.checked_add(size).filter(|end| *end <= self.len);
            let Some(end) = end else {
                let name = long.name.unwrap_or_else(|| text(&header.path_bytes()));
                let what = format!(
                    "'{name}' is truncated: {size} bytes expected, {} present",
                    self.len.saturating_sub(data)
                );
                return Err(self.fault(data, &what));
            };
            at = end.next_multiple_of(BLOCK);
            match kind {
                EntryType::GNULongName => long.name = Some(self.long_name(&mut file, data, size)?),
                EntryType::XHeader => {
                    let record = self.record(&mut file, data, size)?;
                    long.read(&record).map_err(|_| self.fault(data, "a damaged record"))?;
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {}
                _ => {
                    let Long { name, sparse, .. } = std::mem::take(&mut long);
                    let name = name.unwrap_or_else(|| text(&header.path_bytes()));
                    let member = Member { name, start: self.start + data, len: size };
                    if self.is_file(kind, sparse, &member, listing)? {
                        if names.insert(member.name.clone()) {
                            members.push(member);
                        } else {
                            listing.doubt(Reason::SecondForm, self.again(&member))?;
                        }
                    }
                }
            }
            if members.len() > MOST {
                return Err(self.fault(at, &format!("more than {MOST} members")));
            }
        }
        Ok(members)
    }

    /// Whether a member is a plain file. Folders are not, and need no word.
    fn is_file(
        &self,
        kind: EntryType,
        sparse: bool,
        member: &Member,
        listing: &mut Listing,
    ) -> Result<bool> {
        let Member { name, start, .. } = member;
        let (reason, what) = match kind {
            EntryType::GNUSparse => (Reason::Sparse, "it is stored as a sparse file"),
            _ if sparse => (Reason::Sparse, "it is stored as a sparse file"),
            EntryType::Directory => return Ok(false),
            // GNU's name of a volume, and what a folder held when it was saved.
            _ if matches!(kind.as_byte(), b'V' | b'D') => return Ok(false),
            // Before types there were folders: names that end so.
            EntryType::Regular if name.ends_with('/') => return Ok(false),
            EntryType::Regular | EntryType::Continuous => {
                let last = name.rsplit('/').next().unwrap_or(name);
                let hidden = is_hidden(last);
                if hidden {
                    listing.pass(Reason::Hidden, name);
                }
                return Ok(!hidden);
            }
            EntryType::Link | EntryType::Symlink => (Reason::Link, "it is a link to another file"),
            _ => (Reason::MemberType, "its type holds no file"),
        };
        let what = format!(
            "{what}: pack the files themselves (tar --dereference), or pass such members over with --skip-bad"
        );
        let place = format!("{name} in {}, byte {start}", self.name);
        listing.doubt(reason, Error::data(self.path, place, what))?;
        Ok(false)
    }

    /// The error of a member whose name an earlier one has.
    fn again(&self, member: &Member) -> Error {
        let what = "a second member of this name, as where an archive was added to: which one is meant is \
                    unknown. Pack it anew, or take the first with --skip-bad";
        let place = format!("{} in {}, byte {}", member.name, self.name, member.start);
        Error::data(self.path, place, what)
    }

    /// Refuses bytes after the end: what they belong to is unknown.
    fn nothing_after(&self, file: &mut File, end: u64) -> Result<()> {
        if self.len - end > MOST_PADDING {
            let what = format!(
                "the archive ends at byte {}, but {} bytes follow: it is not an archive, or a part of it is missing",
                self.start + end,
                self.len - end
            );
            return Err(self.fault(end, &what));
        }
        let step = 1 << 16;
        for at in (end..self.len).step_by(step) {
            let rest = self.read(file, at, (self.len - at).min(step as u64))?;
            if let Some(first) = rest.iter().position(|byte| *byte != 0) {
                let what = format!(
                    "the archive ends at byte {}, but more follows: a part of it is missing (zeros, as of a \
                     broken download), or it is several archives in one. Get it anew, or join archives \
                     with `tar --concatenate`",
                    self.start + end
                );
                return Err(self.fault(at + first as u64, &what));
            }
        }
        Ok(())
    }

    fn check_sum(&self, at: u64, header: &Header) -> Result<()> {
        let bytes = header.as_bytes();
        // The sum's own eight bytes count as spaces.
        let others = bytes.iter().enumerate().filter(|(i, _)| !(148..156).contains(i));
        let sum = others.map(|(_, byte)| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        match header.cksum() {
            Ok(expected) if expected == sum => Ok(()),
            _ if at == 0 && bounded::is_zip(bytes) => {
                Err(self.fault(0, "it is a zip archive: unpack it, and name the folder"))
            }
            _ if at == 0 && gzip::is_packed(bytes) => {
                Err(self.fault(0, "it is packed with gzip: unpack it first (gunzip)"))
            }
            _ => {
                let what = format!("not a tar header: its checksum does not match: {EXPECTED}");
                Err(self.fault(at, &what))
            }
        }
    }

    /// The data of a record about the next member.
    fn record(&self, file: &mut File, at: u64, size: u64) -> Result<Vec<u8>> {
        if size > LONGEST {
            return Err(self.fault(at, &format!("a name of {size} bytes: too long")));
        }
        self.read(file, at, size)
    }

    fn long_name(&self, file: &mut File, at: u64, size: u64) -> Result<String> {
        let bytes = self.record(file, at, size)?;
        Ok(text(bytes.split(|byte| *byte == 0).next().unwrap_or_default()))
    }

    fn read(&self, file: &mut File, at: u64, len: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len as usize];
        let read = if at + len > self.len {
            Err(ErrorKind::UnexpectedEof.into())
        } else {
            let sought = file.seek(SeekFrom::Start(self.start + at));
            sought.and_then(|_| file.read_exact(&mut bytes))
        };
        match read {
            Ok(()) => Ok(bytes),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                Err(self.fault(self.len, "the archive is truncated"))
            }
            Err(e) => Err(Error::io("read", self.path)(e)),
        }
    }

    pub(super) fn fault(&self, at: u64, why: &str) -> Error {
        let place = format!("{}, byte {}", self.name, self.start + at);
        Error::data(self.path, place, why)
    }
}

/// What records said about the next member.
#[derive(Debug, Default)]
struct Long {
    name: Option<String>,
    /// Nothing inside where it is not a number.
    size: Option<Option<u64>>,
    sparse: bool,
}

impl Long {
    fn read(&mut self, record: &[u8]) -> std::io::Result<()> {
        for field in PaxExtensions::new(record) {
            let field = field?;
            match field.key_bytes() {
                b"path" => self.name = Some(text(field.value_bytes())),
                b"size" => self.size = Some(field.value().ok().and_then(|size| size.parse().ok())),
                key => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
        Ok(())
    }
}

fn text(name: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(name);
    text.into_owned()
}
