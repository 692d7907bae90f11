//! The look at a request of this dialect, and the change of nothing but what is named.

use bytes::Bytes;
use types::chat::{Part, Role};
use types::{Code, Dialect};
use wire::{Rewrite, input_items, output_items, peek, splice, with_history};

const RESPONSES: Dialect = Dialect::OpenaiResponses;

#[test]
fn the_fields_that_matter_are_read() {
    let body = br#"{"model":"gpt-x","input":"Hi","stream":true,"max_output_tokens":7.0,"max_tokens":"x","messages":7,
        "safety_identifier":"s","previous_response_id":"resp_1","store":false,"metadata":{"windlass":{"tags":["a"]},"k":"v"}}"#;
    let seen = peek(RESPONSES, body).unwrap();
    assert_eq!((&*seen.model, seen.stream, seen.max_tokens), ("gpt-x", true, Some(7)));
    assert_eq!((seen.user.as_deref(), seen.previous_response_id.as_deref()), (Some("s"), Some("resp_1")));
    assert_eq!((seen.store, seen.windlass.unwrap().get()), (Some(false), r#"{"tags":["a"]}"#));
    let seen =
        peek(RESPONSES, br#"{"model":"m","input":[],"user":"u","safety_identifier":"s","store":null}"#)
            .unwrap();
    assert_eq!((seen.user.as_deref(), seen.store), (Some("u"), None));
    // The other dialects do not know these fields.
    let chat = br#"{"model":"m","messages":[],"store":7,"store":8,"previous_response_id":9,"max_output_tokens":"x"}"#;
    assert_eq!(peek(Dialect::OpenaiChat, chat).unwrap().store, None);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (fields, place) in [
        (r#""stream":true"#, "input"),
        (r#""input":null"#, "input"),
        (r#""input":{}"#, "input"),
        (r#""messages":[]"#, "input"),
        (r#""input":"x","input":"y""#, "input"),
        (r#""input":"x","store":1"#, "store"),
        (r#""input":"x","store":true,"store":false"#, "store"),
        (r#""input":"x","previous_response_id":1"#, "previous_response_id"),
        (r#""input":"x","previous_response_id":"a","previous_response_id":"b""#, "previous_response_id"),
        (r#""input":"x","max_output_tokens":-1"#, "max_output_tokens"),
    ] {
        let body = format!(r#"{{"model":"m",{fields}}}"#);
        let fault = peek(RESPONSES, body.as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::BadField, Some(place)), "{fields}");
    }
    for turns in [r#""previous_response_id":"resp_1""#, r#""prompt":{"id":"p"}"#, r#""conversation":"c""#] {
        assert!(peek(RESPONSES, format!(r#"{{"model":"m",{turns}}}"#).as_bytes()).is_ok());
    }
}

fn spliced(body: &str, rewrite: &Rewrite<'_>) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let seen = peek(RESPONSES, &body).unwrap();
    String::from_utf8(splice(&body, &seen, rewrite).to_vec()).unwrap()
}

#[test]
fn the_stream_tells_its_usage_unasked() {
    let rewrite =
        Rewrite { model: Some("up"), add_stream_usage: true, drop_windlass_metadata: true, more: &[] };
    let body = r#"{"model":"m","stream":true,"metadata":{"windlass":1},"input":"x"}"#;
    assert_eq!(spliced(body, &rewrite), r#"{"model":"up","stream":true,"input":"x"}"#);
}

#[test]
fn a_conversation_goes_on_from_what_was_kept() {
    let first = Bytes::from_static(br#"{"model":"m","input":"H\u00ef"}"#);
    let asked = input_items(&first, &peek(RESPONSES, &first).unwrap());
    assert_eq!(asked, r#"{"role":"user","content":"H\u00ef"}"#);
    let answered = r#"{"type":"reasoning","summary":[],"encrypted_content":"x"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Yes?"}]}"#;
    let whole = format!(r#"{{"id":"resp_1","output":[ {answered} ]}}"#);
    let event = format!(r#"{{"type":"response.completed","response":{whole}}}"#);
    assert_eq!(output_items(whole.as_bytes()).as_deref(), Some(answered));
    assert_eq!(output_items(event.as_bytes()).as_deref(), Some(answered));
    assert_eq!(
        (output_items(b"{}"), output_items(b"["), output_items(br#"{"output":{}}"#)),
        (None, None, None)
    );

    let kept = format!("{asked},{answered}");
    let went_on = |body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let out = with_history(&body, &peek(RESPONSES, &body).unwrap(), &kept);
        String::from_utf8(out.to_vec()).unwrap()
    };
    assert_eq!(
        went_on(r#"{"previous_response_id":"resp_1", "model":"m","input":"Go \"on\"","x":1.0e400}"#),
        format!(
            r#"{{"previous_response_id":null, "model":"m","input":[{kept},{{"role":"user","content":"Go \"on\""}}],"x":1.0e400}}"#
        )
    );
    assert_eq!(
        went_on(r#"{"model":"m","input":[ ],"previous_response_id":"resp_1"}"#),
        format!(r#"{{"model":"m","input":[{kept} ],"previous_response_id":null}}"#)
    );
    assert_eq!(
        went_on(r#"{"model":"m","previous_response_id":"resp_1" }"#),
        format!(r#"{{"model":"m","previous_response_id":null,"input":[{kept}] }}"#)
    );
    let body = went_on(
        r#"{"model":"m","input":[{"role":"user","content":"Go on"}],"previous_response_id":"resp_1"}"#,
    );
    let request = wire::decode_request(RESPONSES, body.as_bytes()).unwrap();
    assert!(request.extra.is_empty());
    let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    assert_eq!(request.messages[1].parts[0], Part::HiddenThinking { data: "signed-by-openai:x".into() });
}
