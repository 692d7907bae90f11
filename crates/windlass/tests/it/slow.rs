//! Callers that read slowly: they hold little of us, and not for long.

use std::time::Duration;

use serde_json::json;
use testkit::{Answer, Vendor, openai};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::Ask;
use crate::house::{Gateway, House, soon};

/// More than a slow reader costs: buffers of ours, and what the allocator keeps of them.
const MOST: u64 = 6 << 20;
const CALLERS: usize = 8;
const IMPATIENT: &str = "server: { body_timeout: 400ms }\n";

fn resident(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A connection whose own buffer is as small as can be had.
async fn small(gateway: &Gateway) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(gateway.address).await.unwrap()
}

fn ask() -> Ask {
    let messages = json!([{ "role": "user", "content": "go on" }]);
    let body = json!({ "model": "vendor/m", "stream": true, "messages": messages });
    Ask::post("/v1/chat/completions", &body)
}

#[tokio::test]
async fn a_caller_who_reads_byte_by_byte_is_let_go() {
    // The provider would go on for ever, as fast as it is read.
    let events = openai::chat_stream(300, 9);
    let (usual, _end) = events.split_at(events.len() - 3);
    let vendor = Vendor::start(Answer::events(usual.iter().take(1).cloned()).endless(usual[1..].concat()));
    let vendor = vendor.await.unwrap();
    let house = House::before(&vendor, IMPATIENT);
    let gateway = house.serve().await;
    // One is let go first, so that the code that it needs is in memory before anything is measured.
    let mut first = small(&gateway).await;
    first.write_all(&ask().wire()).await.unwrap();
    assert!(soon("the end of the provider's work", vendor.closed()).await.during_answer);
    let before = resident(&gateway);
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let mut stream = small(&gateway).await;
        stream.write_all(&ask().wire()).await.unwrap();
        callers.push(stream);
    }
    let mut highest = before;
    let reading = async {
        let mut byte = [0];
        loop {
            for caller in &mut callers {
                if caller.read(&mut byte).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            highest = highest.max(resident(&gateway));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = async {
        for _ in 0..CALLERS {
            assert!(vendor.closed().await.during_answer);
        }
    };
    soon("the end of the provider's work", async {
        tokio::select! {
            () = ended => {}
            () = async { reading.await; std::future::pending().await } => {}
        }
    })
    .await;
    let each = (highest - before) / CALLERS as u64;
    assert!(each < MOST, "{} KiB each", each >> 10);
    gateway.stop().await;
    let rows = house.ledger().await;
    assert_eq!(rows.len(), CALLERS + 1);
    for row in rows {
        assert_eq!(
            (&row["outcome"], &row["usage_source"]),
            (&json!("hung_up"), &json!("estimated")),
            "{row:#}"
        );
    }
}

#[tokio::test]
async fn a_caller_who_reads_slowly_but_steadily_gets_everything() {
    let vendor = Vendor::start(Answer::events(openai::chat_stream(4_000, 9))).await.unwrap();
    let house = House::before(&vendor, "server: { body_timeout: 1s }\n");
    let gateway = house.serve().await;
    let mut stream = small(&gateway).await;
    stream.write_all(&ask().header("connection", "close").wire()).await.unwrap();
    let (mut seen, began) = (Vec::new(), std::time::Instant::now());
    let mut piece = vec![0; 16 << 10];
    loop {
        let size = soon("more", stream.read(&mut piece)).await.unwrap();
        if size == 0 {
            break;
        }
        seen.extend_from_slice(&piece[..size]);
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(1), "it has taken longer than any silence may");
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains("w3999 ") && text.contains("[DONE]"), "{} bytes", seen.len());
    gateway.stop().await;
    assert_eq!(house.ledger().await[0]["outcome"], "complete");
}
