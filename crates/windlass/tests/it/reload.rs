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
        assert!(line["first"].as_str().is_some_and(|first| !first.is_empty()), "{line:#}");
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
