//! A run with errors fails, and says which.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use crate::program::{Mock, load};

/// Serves this answer to one connection and closes it.
fn once(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}

fn fails_with(url: &str, arguments: &[&str], words: &str) {
    let (output, _) = load(url, &[&["--connections", "1", "--requests", "1"], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(words), "{said:?} should say {words:?}");
}

#[test]
fn another_status_than_200() {
    let mock = Mock::start(&[]);
    fails_with(&format!("http://{}/nowhere", mock.address), &[], "status 404");
}

#[test]
fn a_stream_without_its_end_mark() {
    let url = once("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata: {}\n");
    fails_with(&url, &["--stream"], "ended without data: [DONE]");
}

#[test]
fn a_body_that_is_cut() {
    let url = once("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\"");
    fails_with(&url, &[], "in the middle of a body");
}

#[test]
fn nobody_listens() {
    // A port that is let go again may be another test's by then; this one is nobody's.
    fails_with("http://127.0.0.1:1/", &[], "cannot connect");
}

#[test]
fn an_address_that_is_not_loopback() {
    fails_with("http://192.0.2.1:80/", &[], "not a loopback address");
}
