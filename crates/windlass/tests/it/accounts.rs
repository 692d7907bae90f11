//! The ledger when the ground under it fails: a damaged spool, a full disk, a database that is away. What can
//! be accounted for is; what cannot be is not taken on.

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use testkit::{Answer, Vendor, openai};

use crate::client::Ask;
use crate::house::{Gateway, House};

const SIMULATED: &str = "
version: 1
providers: { demo: { kind: simulated, models: { talker: { output_tokens: 3 } } } }
";

fn ask() -> Ask {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    Ask::post("/v1/chat/completions", &json!({ "model": "demo/talker", "messages": messages }))
}

/// Makes a call, and gives its name.
async fn call(gateway: &Gateway) -> String {
    let reply = gateway.ask(ask()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-windlass-call").unwrap().to_owned()
}

/// Holds the database so that nobody else can write to it.
async fn hold(house: &House) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(house.path("windlass.db"));
    let mut held = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut held).await.unwrap();
    held
}

async fn let_go(mut held: SqliteConnection) {
    sqlx::query("ROLLBACK").execute(&mut held).await.unwrap();
    held.close().await.unwrap();
}

/// The calls whose rows have reached the database.
async fn calls(house: &House) -> Vec<String> {
    let rows = house.ledger().await;
    let mut calls: Vec<_> = rows.iter().map(|row| row["call"].as_str().unwrap().to_owned()).collect();
    calls.sort_unstable();
    calls
}

#[tokio::test]
async fn a_damaged_spool_loses_nothing_that_can_be_read() {
    let house = House::new(SIMULATED);
    let gateway = house.serve().await;
    let mut made = Vec::new();
    let held = hold(&house).await;
    for _ in 0..20 {
        made.push(call(&gateway).await);
    }
    gateway.kill().await;
    let_go(held).await;

    // What a power failure leaves behind: a torn record, and blocks that were never written.
    let folder = house.path("windlass.spool").join("0");
    let mut segments: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read(path).unwrap().windows(5).any(|bytes| bytes == b"call_"))
        .collect();
    segments.sort();
    let last = segments.last().unwrap_or_else(|| panic!("no rows in {}", folder.display()));
    let mut bytes = std::fs::read(last).unwrap();
    let torn: Vec<u8> = bytes[..bytes.len() / 40].to_vec();
    bytes.extend_from_slice(&torn);
    bytes.extend_from_slice(&[0; 512]);
    std::fs::write(last, bytes).unwrap();

    let gateway = house.serve().await;
    let warning = gateway.logged("damaged", 0).await;
    assert!(warning.contains(".corrupt"), "{warning}");
    made.push(call(&gateway).await);
    gateway.stop().await;
    made.sort_unstable();
    assert_eq!(calls(&house).await, made);
    let kept = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().contains(".corrupt")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let kept = std::fs::read(&kept[0]).unwrap();
    assert!(kept.windows(torn.len()).any(|bytes| bytes == torn), "the damage is kept for whoever looks");
}

#[tokio::test]
async fn a_full_disk_refuses_new_calls_and_forgets_none() {
    let house = House::new(&format!("{SIMULATED}storage: {{ spool_max: 4KB }}\n"));
    let gateway = house.serve().await;
    let mut made = vec![call(&gateway).await];
    gateway.json_once("/readyz", |ready| ready["ready"] == true).await;
    let held = hold(&house).await;
    let (refused, answered) = loop {
        let reply = gateway.ask(ask()).await;
        if reply.status != 200 {
            break (reply, made.len());
        }
        made.push(reply.header("x-windlass-call").unwrap().to_owned());
        assert!(made.len() < 100_000, "4 KB of spool never filled up");
    };
    assert!(answered > 2, "{answered}");
    assert_eq!((refused.status, refused.code().as_str()), (503, "WL9002"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let ready = gateway.ask(Ask::get("/readyz")).await;
    assert_eq!((ready.status, &ready.json()["code"]), (503, &json!("WL9002")), "{}", ready.text());
    assert_eq!(gateway.ask(Ask::get("/livez")).await.status, 200, "it lives, and waits for room");
    let run = Ask::post("/v1/messages", &json!({ "model": "demo/talker", "max_tokens": 1, "messages": [] }));
    assert_eq!(gateway.ask(run).await.code(), "WL9002");

    let_go(held).await;
    gateway.json_once("/readyz", |ready| ready["ready"] == true).await;
    made.push(call(&gateway).await);
    gateway.stop().await;
    made.sort_unstable();
    assert_eq!(calls(&house).await, made);
}

#[tokio::test]
async fn a_command_beside_the_gateway_has_its_own_place_in_the_spool() {
    let house = House::new(SIMULATED);
    let gateway = house.serve().await;
    let first = call(&gateway).await;
    let said = house.run(&["chat", "hello", "--json"]).await.well().json();
    assert_eq!((&said["provider"], &said["simulated"]), (&json!("demo"), &json!(true)), "{said:#}");
    let second = said["call"].as_str().unwrap().to_owned();
    assert_eq!(gateway.rows(&second, 1).await[0]["usage"]["output"], Value::from(3));
    assert_eq!(gateway.rows(&first, 1).await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn what_strangers_name_is_shown_and_not_obeyed() {
    let vendor = Vendor::start(Answer::json(200, openai::chat("here", 3, 1))).await.unwrap();
    let house = House::before(&vendor, "");
    let gateway = house.serve().await;
    let model = "vendor/\u{1b}[31mred\nnext\u{202e}line\u{9b}1m";
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] });
    let reply = gateway.ask(Ask::post("/v1/chat/completions", &body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    gateway.stop().await;
    for args in [&["ledger"][..], &["ledger", "--by", "model"]] {
        let table = house.run(args).await.well().out;
        assert_eq!(table.lines().count(), 2, "a head and a row:\n{table}");
        assert!(!table.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{table:?}");
        assert!(table.contains("\\u{1b}[31mred\\nnext\\u{202e}line"), "{table}");
    }
    // For programs it is what it is.
    assert_eq!(house.ledger().await[0]["model"], model.strip_prefix("vendor/").unwrap());
}
