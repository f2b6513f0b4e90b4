//! `bindings PROGRAM.wasm FOLDER`: the program as a page loads it, and the JavaScript around it.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

#[allow(clippy::print_stderr, reason = "a program of one line says why it made nothing")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder] = arguments.as_slice() else {
        eprintln!("usage: bindings PROGRAM.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut bindings = Bindgen::new();
    bindings.input_path(program).out_name("fathom_web").typescript(false);
    bindings
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(false);
    match bindings.web(true).and_then(|bindings| bindings.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no page can be made of {program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
