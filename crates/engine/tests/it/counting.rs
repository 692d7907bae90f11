//! Counting tokens: by the provider where it can, else here, and then it says so.

use engine::{Head, Inbound};
use serde_json::json;
use testkit::{Answer, Vendor};
use types::{Code, Dialect};

use crate::house::{House, anthropic, openai};

fn ask(model: &str) -> Inbound {
    let body =
        json!({ "model": model, "messages": [{ "role": "user", "content": "How many tokens is this?" }] });
    Inbound { dialect: Dialect::AnthropicMessages, body: body.to_string().into(), head: Head::default() }
}

#[tokio::test]
async fn anthropic_is_asked_for_its_own_count() {
    let vendor = Vendor::start(Answer::json(200, r#"{"input_tokens":14}"#)).await.unwrap();
    let house = House::with(&anthropic("up", &vendor), "").await;
    let counted = house.engine().count_tokens(ask("up/claude-haiku-4-5")).await.unwrap();
    assert_eq!((counted.tokens, counted.exact), (14, true));
    let seen = vendor.request().await;
    assert_eq!(seen.path, "/v1/messages/count_tokens");
    assert_eq!(seen.json()["model"], "claude-haiku-4-5");
    let tools = r#""tools":[{"name":"f","input_schema":{ "maximum":1e400}}]"#;
    let body = format!(r#"{{"model":"up/claude","messages":[{{"role":"user","content":"x"}}],{tools}}}"#);
    let odd = Inbound { body: body.into(), ..ask("") };
    house.engine().count_tokens(odd).await.unwrap();
    let seen = vendor.request().await.body;
    assert!(std::str::from_utf8(&seen).unwrap().contains(tools), "what is odd passes as it is written");
    assert!(house.rows().await.is_empty(), "nothing was generated, so nothing is accounted");
}

#[tokio::test]
async fn elsewhere_the_models_own_vocabulary_counts() {
    let vendor = Vendor::start(Answer::json(500, "{}")).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let counted = house.engine().count_tokens(ask("up/gpt-4o")).await.unwrap();
    // Six words, a question mark, and the markup of one turn: role, three tokens, and three for the answer.
    assert_eq!((counted.tokens, counted.exact), (13, true));
    let counted = house.engine().count_tokens(ask("up/some-model")).await.unwrap();
    assert!(!counted.exact && counted.tokens > 5, "{counted:?}");
    let refused = house.engine().count_tokens(ask("nobody")).await.unwrap_err();
    assert_eq!(refused.code, Code::UnknownModel);
}
