//! Gzip as it lies about: members one after the other, and zeros behind the last, which fill up a block.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use flate2::bufread::GzDecoder;

/// Zeros that may follow the last member: programs fill a block up, of some MiB at most.
const MOST_PADDING: usize = 1 << 26;

/// Whether a file that starts so is packed, whatever its name.
pub(super) fn is_packed(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// What is wrong with a packed file, by the error of unpacking it; nothing where it could not be read at all.
pub(super) fn damage(error: &Error) -> Option<String> {
    use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let of_the_stream = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    of_the_stream
        .then(|| format!("the gzip stream is truncated or corrupt ({error}): download it again"))
}

/// The unpacked bytes of all members.
pub(super) struct Unpacked<R> {
    /// The one that is read; nothing once all were.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Unpacked<R> {
    pub(super) fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let rest = self.member.take().map(GzDecoder::into_inner);
            self.member = rest.map(next).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// The member that starts here, if one does.
fn next<R: BufRead>(mut rest: R) -> Result<Option<GzDecoder<R>>> {
    let mut zeros = 0;
    loop {
        let piece = rest.fill_buf()?;
        let (count, more) = match piece.iter().position(|byte| *byte != 0) {
            None => (piece.len(), false),
            Some(at) => (at, true),
        };
        if !more && count == 0 {
            return Ok(None);
        }
        zeros += count;
        if more && zeros == 0 {
            return Ok(Some(GzDecoder::new(rest)));
        }
        if more || zeros > MOST_PADDING {
            let what = "more follows behind the zeros after its end";
            return Err(Error::new(ErrorKind::InvalidData, what));
        }
        rest.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        // Pieces as short as they can be: every place is one where the buffer ends.
        let input = std::io::BufReader::with_capacity(1, bytes);
        Unpacked::new(input).read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn members_are_joined_and_padding_is_none_of_them() {
        let joined = [packed(b"one, "), packed(b""), packed(b"two")].concat();
        assert_eq!(unpacked(&joined).unwrap(), b"one, two");
        for padding in [1, 7, 512, 100_000] {
            let padded = [joined.clone(), vec![0; padding]].concat();
            assert_eq!(unpacked(&padded).unwrap(), b"one, two");
        }
    }

    #[test]
    fn what_else_follows_is_an_error() {
        let one = packed(b"one");
        for rest in [&b"junk"[..], b"\0\0junk", &[&[0; 9][..], &one].concat(), b"\x1f", &one[..9]] {
            assert!(unpacked(&[&one[..], rest].concat()).is_err(), "{rest:?}");
        }
        assert!(unpacked(&one[..one.len() - 1]).is_err());
    }

    #[test]
    fn zeros_without_end_are_not_read_to_their_end() {
        let one = packed(b"one");
        let endless = one.chain(std::io::repeat(0));
        let mut text = Vec::new();
        let read = Unpacked::new(std::io::BufReader::new(endless)).read_to_end(&mut text);
        assert!(read.is_err());
    }
}
