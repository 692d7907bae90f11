//! Starting the program's subcommands.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_windlass-bench");

/// A mock upstream that ends with the test.
pub(crate) struct Mock {
    child: Child,
    pub(crate) address: String,
}

impl Mock {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child =
            Command::new(PROGRAM).arg("mock").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    pub(crate) fn chat(&self) -> String {
        format!("http://{}/v1/chat/completions", self.address)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Runs `load --json` to its end.
pub(crate) fn load(url: &str, arguments: &[&str]) -> (Output, serde_json::Value) {
    let output =
        Command::new(PROGRAM).args(["load", "--json", "--url", url]).args(arguments).output().unwrap();
    let outcome = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, outcome)
}
