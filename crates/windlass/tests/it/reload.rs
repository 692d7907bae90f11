//! A configuration that changes under a running gateway: all of the new one, or none of it.

use serde_json::{Value, json};
use testkit::{Answer, Gate, Vendor, openai};

use crate::client::Ask;
use crate::house::{Gateway, House, soon};

fn configuration(routes: &str) -> String {
    format!(
        "version: 1\nproviders: {{ demo: {{ kind: simulated, models: {{ one: {{}}, two: {{}} }} }} }}\nroutes: {{ {routes} }}\n"
    )
}

async fn status(gateway: &Gateway, model: &str) -> u16 {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    gateway
        .ask(Ask::post("/v1/chat/completions", &json!({ "model": model, "messages": messages })))
        .await
        .status
}

#[tokio::test]
async fn a_changed_file_swaps_whole_and_a_broken_one_keeps_the_old() {
    let house = House::new(&configuration("first: { models: [demo/one] }"));
    let gateway = house.serve().await;
    assert_eq!((status(&gateway, "first").await, status(&gateway, "second").await), (200, 404));

    let mark = gateway.mark();
    house.write("windlass.yaml", &configuration("second: { models: [demo/two] }"));
    gateway.logged("configuration reloaded", mark).await;
    assert_eq!((status(&gateway, "first").await, status(&gateway, "second").await), (404, 200));

    for broken in [
        configuration("third: { models: [demo/nobody] }"),
        "version: 1\nproviders: {".to_owned(),
        configuration("third: { models: [demo/one] }") + "chains: { gone: gone.yaml }\n",
        String::from("version: 2\n"),
    ] {
        let mark = gateway.mark();
        house.write("windlass.yaml", &broken);
        let line = gateway.logged("configuration refused", mark).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "ERROR", "{line:#}");
        let first = line["first"].as_str().unwrap();
        assert!(first.starts_with("windlass.yaml:") || first.starts_with("gone.yaml: "), "{line:#}");
        assert_eq!(
            (status(&gateway, "second").await, status(&gateway, "third").await),
            (200, 404),
            "{broken}"
        );
    }

    // The same folder as an orchestrator changes it: a link that is moved.
    let mark = gateway.mark();
    house.write("next.yaml", &configuration("third: { models: [demo/one] }"));
    std::fs::remove_file(house.path("windlass.yaml")).unwrap();
    std::os::unix::fs::symlink("next.yaml", house.path("windlass.yaml")).unwrap();
    gateway.logged("configuration reloaded", mark).await;
    assert_eq!((status(&gateway, "second").await, status(&gateway, "third").await), (404, 200));
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_in_flight_ends_with_the_configuration_that_it_began_with() {
    let gate = Gate::new();
    let events = openai::chat_stream(4, 3);
    let answer = Answer::events(events[..2].iter().cloned()).gate(&gate);
    let vendor = Vendor::start(events[2..].iter().cloned().fold(answer, Answer::piece)).await.unwrap();
    let provider = |name: &str| {
        format!(
            "version: 1\nproviders: {{ {name}: {{ kind: openai, base_url: '{}' }} }}\n",
            vendor.url("/v1")
        )
    };
    let house = House::new(&provider("before"));
    let gateway = house.serve().await;
    let body =
        json!({ "model": "before/m", "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    let mut stream = gateway.open(Ask::post("/v1/chat/completions", &body)).await;
    stream.until("w0").await;
    let mark = gateway.mark();
    house.write("windlass.yaml", &provider("after"));
    gateway.logged("configuration reloaded", mark).await;
    assert_eq!(status(&gateway, "before/m").await, 404);
    gate.open();
    let call = stream.header("x-windlass-call").unwrap().to_owned();
    let rest = soon("the rest", stream.whole()).await.unwrap().text();
    assert!(rest.contains("w3") && rest.ends_with("data: [DONE]\n\n"), "{rest}");
    let row = gateway.rows(&call, 1).await.remove(0);
    assert_eq!((&row["provider"], &row["outcome"]), (&json!("before"), &json!("complete")), "{row:#}");
}

#[tokio::test]
async fn a_reload_opens_no_gateway_and_tells_what_only_a_start_changes() {
    let simulated = "providers: { demo: { kind: simulated, models: { one: {} } } }\n";
    let keys = "keys: { k: { key: wl_0123456789abcdef } }\n";
    let listen = |address: &str| format!("version: 1\nserver: {{ listen: '{address}:0' }}\n{simulated}");
    let house = House::new(&(listen("0.0.0.0") + keys));
    let mut gateway = Gateway::start(house.command(&["serve"])).await;
    gateway.address.set_ip([127, 0, 0, 1].into());
    assert_eq!(status(&gateway, "demo/one").await, 401);
    // What the file says of the address is not where the socket is.
    let mark = gateway.mark();
    house.write("windlass.yaml", &listen("127.0.0.1"));
    let line = gateway.logged("configuration refused", mark).await;
    assert!(line.contains("0.0.0.0") && line.contains("no `keys`"), "{line}");
    assert_eq!(status(&gateway, "demo/one").await, 401);
    // With keys it is in force, and says what it does not change.
    let mark = gateway.mark();
    house.write("windlass.yaml", &(listen("127.0.0.1") + keys + "storage: { spool_max: 2GB }\n"));
    gateway.logged("configuration reloaded", mark).await;
    let line = gateway.logged("when the process is started again", mark).await;
    assert!(line.contains("server.listen") && line.contains("storage.spool_max"), "{line}");
    // The operator may say that it is meant to be open.
    let mark = gateway.mark();
    let open = format!("version: 1\nserver: {{ listen: '0.0.0.0:0', allow_open: true }}\n{simulated}");
    house.write("windlass.yaml", &open);
    gateway.logged("configuration reloaded", mark).await;
    assert_eq!(status(&gateway, "demo/one").await, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn the_flag_opens_no_gateway() {
    let house = House::new(&configuration(""));
    let said = house.run(&["serve", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("--listen") && said.err.contains("there are no `keys`"), "{said:?}");
}
