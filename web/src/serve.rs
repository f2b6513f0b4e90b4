//! The page's folder over HTTP to this machine: a page may use the GPU only over https or from localhost, and a bare
//! machine with cargo needs nothing else for that.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::{fs, io, thread};

/// Answers requests for files of `folder` for as long as the process lives.
pub(crate) fn serve(listener: TcpListener, folder: PathBuf) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, folder) = (stream?, folder.clone());
        // A browser asks for several files at once, and may open a connection without asking.
        thread::spawn(move || answer(stream, &folder));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut taken = String::new();
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(codings) = line.strip_prefix("accept-encoding:") {
            taken = codings.into();
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let answer = file(folder, target).and_then(|file| Some((kind(&file), kept(&file, &taken)?)));
    let (status, kind, (coding, body)) = match answer {
        Some((kind, kept)) => ("200 OK", kind, kept),
        None => ("404 Not Found", "text/plain", ("", b"there is no such file\n".to_vec())),
    };
    // Isolated from other sites, a page has a finer clock.
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{coding}Cache-Control: no-cache\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// A file with the header that tells how it is compressed: by a coding that is taken, where it lies beside the file.
fn kept(file: &Path, taken: &str) -> Option<(&'static str, Vec<u8>)> {
    let codings =
        [("br", "br", "Content-Encoding: br\r\n"), ("gzip", "gz", "Content-Encoding: gzip\r\n")];
    let compressed = codings.into_iter().find_map(|(coding, ending, header)| {
        let is_taken = taken.split([',', ';']).any(|one| one.trim() == coding);
        let beside = format!("{}.{ending}", file.display());
        is_taken.then(|| fs::read(beside).ok()).flatten().map(|bytes| (header, bytes))
    });
    compressed.or_else(|| fs::read(file).ok().map(|bytes| ("", bytes)))
}

/// The file that a request names, inside the folder only.
fn file(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.trim_start_matches('/');
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| folder.join(path))
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
