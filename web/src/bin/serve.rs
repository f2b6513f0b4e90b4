//! `serve FOLDER [PORT]`: shows the page on localhost.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

#[path = "../serve.rs"]
mod serve;

#[allow(clippy::print_stderr, reason = "a program of two lines says where it listens")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: serve FOLDER [PORT]");
        return ExitCode::from(2);
    };
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let served = TcpListener::bind(("127.0.0.1", port)).and_then(|listener| {
        eprintln!(
            "Fathom is at http://localhost:{}/ (Ctrl-C ends it)",
            listener.local_addr()?.port()
        );
        serve::serve(listener, folder)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot serve on port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}
