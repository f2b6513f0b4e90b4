//! Images that are damaged, or promise too much; and whole ones that look odd.

use super::*;

use super::super::file::Stored;

fn decode(bytes: &[u8]) -> Result<RgbImage> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("0.jpg");
    std::fs::write(&file, bytes).unwrap();
    let file = Arc::new(file);
    let length = bytes.len() as u64;
    Stored { file, start: None, length, name: "0.jpg".into(), label: 0 }.decode()
}

fn fault(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

fn jpeg() -> Vec<u8> {
    encode(&picture(3, 5, 61, 47), ImageFormat::Jpeg)
}

/// Written by libjpeg: sequential with halved colours, the same in scans of growing precision, grey.
const OTHERS: [&[u8]; 3] =
    [include_bytes!("halved.jpg"), include_bytes!("progressive.jpg"), include_bytes!("grey.jpg")];

fn each_kind() -> Vec<Vec<u8>> {
    OTHERS.iter().map(|bytes| bytes.to_vec()).chain([jpeg()]).collect()
}

/// Where the segment of a marker starts, its two bytes included.
fn segment(bytes: &[u8], marker: u8) -> usize {
    bytes.windows(2).position(|pair| pair == [0xff, marker]).unwrap()
}

/// Where the data of the first scan start.
fn data(bytes: &[u8]) -> usize {
    let scan = segment(bytes, 0xda);
    scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]))
}

#[test]
fn whole_images_of_every_kind_are_read() {
    for bytes in each_kind() {
        let whole = decode(&bytes).unwrap();
        // Phones append a film or a larger image.
        let with_trailer = [&bytes[..], &[0x17; 1200], &bytes].concat();
        assert_eq!(decode(&with_trailer).unwrap(), whole);
        let padded = [&bytes[..bytes.len() - 2], &[0, 0, 0xff, 0xff, 0xff, 0xd9]].concat();
        assert_eq!(decode(&padded).unwrap(), whole);
    }
}

#[test]
fn an_image_cut_anywhere_is_found() {
    for bytes in each_kind() {
        for end in data(&bytes)..bytes.len() - 2 {
            assert!(decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
            // With an end mark put behind what is left, as some programs repair files. Fewer scans than
            // there could be make an image too.
            if bytes[end - 1] == 0xff || bytes[end] == 0xff {
                continue;
            }
            let repaired = [&bytes[..end], &[0xff, 0xd9]].concat();
            assert!(decode(&repaired).is_err(), "{end} of {}, repaired", bytes.len());
        }
    }
}

#[test]
fn a_thumbnails_end_mark_is_not_the_images() {
    let (bytes, thumbnail) = (jpeg(), jpeg());
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let exif = [&bytes[..2], &[0xff, 0xe1], &length, &thumbnail, &bytes[2..]].concat();
    decode(&exif).unwrap();
    let cut = data(&bytes) + thumbnail.len() + 4 + 40;
    let error = fault(&exif[..cut]);
    assert!(error.contains("its data end early"), "{error}");
}

#[test]
fn an_image_is_read_whatever_its_profile_would_unpack_to() {
    use std::io::Write;
    let png = encode(&picture(0, 0, 9, 9), ImageFormat::Png);
    let with_profile = |length: usize| {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&vec![0; length]).unwrap();
        let chunk = [b"iCCPx\0\0", &packed.finish().unwrap()[..]].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&chunk);
        let length = (chunk.len() as u32 - 4).to_be_bytes();
        // After the signature and the header.
        [&png[..33], &length, &chunk, &sum.sum().to_be_bytes(), &png[33..]].concat()
    };
    // What is beyond the bound is not unpacked, and nothing here needs it.
    for length in [1 << 20, 1 << 26] {
        assert_eq!(decode(&with_profile(length)).unwrap(), decode(&png).unwrap());
    }
}

#[test]
fn a_second_header_promises_nothing() {
    for bytes in each_kind() {
        let mut frame = bytes[segment_of_frame(&bytes)..].to_vec();
        frame.truncate(2 + usize::from(u16::from_be_bytes([frame[2], frame[3]])));
        frame[5..9].fill(0xff);
        let twice = [&bytes[..bytes.len() - 2], &frame, &bytes[bytes.len() - 2..]].concat();
        assert!(fault(&twice).contains("its data are damaged"), "{}", fault(&twice));
    }
}

/// Where the header starts, that of sizes and colours.
fn segment_of_frame(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair[0] == 0xff && matches!(pair[1], 0xc0..=0xc2)).unwrap()
}

#[test]
fn holes_are_found() {
    for bytes in each_kind() {
        let (from, to) = (data(&bytes) + 20, bytes.len() - 2);
        let (mut tried, mut missed) = (0, 0);
        for start in (from..to - 90).step_by(37) {
            let mut hole = bytes.clone();
            hole[start..start + 80].fill(0);
            assert!(decode(&hole).is_err(), "zeros at {start} of {}", bytes.len());
            // What is left may happen to have as many blocks where there are only some dozens.
            let lost = [&bytes[..start], &bytes[start + 80..]].concat();
            (tried, missed) = (tried + 1, missed + usize::from(decode(&lost).is_ok()));
        }
        assert!(missed * 4 < tried, "80 bytes lost: {missed} of {tried} missed");
    }
}

#[test]
fn a_wrong_height_is_found() {
    for bytes in each_kind() {
        let marker = if bytes.windows(2).any(|pair| pair == [0xff, 0xc2]) { 0xc2 } else { 0xc0 };
        let at = segment(&bytes, marker) + 5;
        let height = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        for wrong in [height / 2, height + 17, height * 3] {
            let mut bytes = bytes.clone();
            bytes[at..at + 2].copy_from_slice(&wrong.to_be_bytes());
            assert!(decode(&bytes).is_err(), "{wrong} for {height}");
        }
    }
}

#[test]
fn restarts_are_counted() {
    // Grey blocks of 128: a difference of 0, the end of the block, and ones up to the next byte.
    let one = {
        let luma = image::GrayImage::from_pixel(40, 8, image::Luma([128]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        luma.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    };
    let scan = segment(&one, 0xda);
    let restart = [0xff, 0xdd, 0, 4, 0, 1];
    let with = |blocks: &[u8]| {
        [&one[..scan], &restart, &one[scan..data(&one)], blocks, &[0xff, 0xd9]].concat()
    };
    let blocks = [0x2b, 0xff, 0xd0, 0x2b, 0xff, 0xd1, 0x2b, 0xff, 0xd2, 0x2b, 0xff, 0xd3, 0x2b];
    let whole = decode(&with(&blocks)).unwrap();
    assert_eq!((whole.width(), whole.height()), (40, 8));
    let lost = [&blocks[..4], &blocks[7..]].concat();
    assert!(fault(&with(&lost)).contains("damaged"), "{}", fault(&with(&lost)));
    assert!(fault(&with(&blocks[..10])).contains("end early"));
}

#[test]
fn what_promises_too_many_pixels_is_refused_before_it_is_decoded() {
    let mut bytes = jpeg();
    let at = segment(&bytes, 0xc0) + 5;
    bytes[at..at + 4].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    assert!(fault(&bytes).contains("20000 x 20000 pixels: at most 67108864 are decoded"));
    let mut png = encode(&picture(0, 0, 9, 9), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    assert!(decode(&png).is_err());
}

#[test]
fn a_png_with_a_part_missing_is_found() {
    let bytes = encode(&picture(0, 0, 61, 47), ImageFormat::Png);
    let pixels = bytes.windows(4).position(|name| name == b"IDAT").unwrap();
    for start in (pixels + 4..bytes.len() - 120).step_by(61) {
        let mut hole = bytes.clone();
        hole[start..start + 80].fill(0);
        assert!(decode(&hole).is_err(), "zeros at {start}");
        assert!(decode(&bytes[..start]).is_err(), "cut at {start}");
    }
    assert!(fault(b"").contains("neither a JPEG nor a PNG"));
}
