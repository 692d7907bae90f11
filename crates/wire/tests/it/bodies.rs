//! The look at a request, and the change of nothing but what is named.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use types::{Code, Dialect};
use wire::{Rewrite, peek, splice};

const EVERYTHING: Rewrite<'_> = Rewrite {
    model: Some("up/stream \"x\""),
    add_stream_usage: true,
    drop_windlass_metadata: true,
    more: &[],
};

fn spliced(dialect: Dialect, body: &str, rewrite: &Rewrite<'_>) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let seen = peek(dialect, &body).unwrap();
    String::from_utf8(splice(&body, &seen, rewrite).to_vec()).unwrap()
}

fn check(body: &str, rewrite: &Rewrite<'_>, expect: &str) {
    let out = spliced(Dialect::OpenaiChat, body, rewrite);
    assert_eq!(out, expect);
    serde_json::from_str::<&serde_json::value::RawValue>(&out).unwrap();
}

#[test]
fn nothing_to_change_is_the_same_allocation() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[]}"#);
    let seen = peek(Dialect::OpenaiChat, &body).unwrap();
    let same = splice(&body, &seen, &Rewrite { model: Some("m"), ..Rewrite::default() });
    assert_eq!(same.as_ptr(), body.as_ptr());
}

#[test]
fn each_change_touches_its_bytes_only() {
    let usage = Rewrite { add_stream_usage: true, ..Rewrite::default() };
    let windlass = Rewrite { drop_windlass_metadata: true, ..Rewrite::default() };
    check(
        r#"{"model" : "a", "messages":[] , "x":1.0e400}"#,
        &Rewrite { model: Some("b\"c"), ..Rewrite::default() },
        r#"{"model" : "b\"c", "messages":[] , "x":1.0e400}"#,
    );
    check(
        r#"{"model":"a","messages":[] }"#,
        &usage,
        r#"{"model":"a","messages":[],"stream_options":{"include_usage":true} }"#,
    );
    check(
        r#"{"stream_options":null,"model":"a","messages":[]}"#,
        &usage,
        r#"{"stream_options":{"include_usage":true},"model":"a","messages":[]}"#,
    );
    check(
        r#"{"stream_options":{ },"model":"a","messages":[]}"#,
        &usage,
        r#"{"stream_options":{"include_usage":true },"model":"a","messages":[]}"#,
    );
    check(
        r#"{"stream_options":{"x":1},"model":"a","messages":[]}"#,
        &usage,
        r#"{"stream_options":{"include_usage":true,"x":1},"model":"a","messages":[]}"#,
    );
    for stated in ["false", "null"] {
        check(
            &format!(
                r#"{{"stream_options":{{"x":1,"include_usage": {stated} ,"y":2}},"model":"a","messages":[]}}"#
            ),
            &usage,
            r#"{"stream_options":{"x":1,"include_usage": true ,"y":2},"model":"a","messages":[]}"#,
        );
    }
    let asked = r#"{"stream_options":{"include_usage":true},"model":"a","messages":[]}"#;
    check(asked, &usage, asked);
    check(
        r#"{"model":"a","metadata":{"windlass":{"tags":["x"]}},"messages":[]}"#,
        &windlass,
        r#"{"model":"a","messages":[]}"#,
    );
    check(
        r#"{ "metadata":{"windlass":1} , "model":"a","messages":[]}"#,
        &windlass,
        r#"{ "model":"a","messages":[]}"#,
    );
    check(
        r#"{"model":"a","messages":[],"metadata":{"windlass":1}}"#,
        &EVERYTHING,
        r#"{"model":"up/stream \"x\"","messages":[],"stream_options":{"include_usage":true}}"#,
    );
    check(
        r#"{"model":"a","messages":[],"metadata":{"windlass":1 , "b":2}}"#,
        &windlass,
        r#"{"model":"a","messages":[],"metadata":{"b":2}}"#,
    );
    check(
        r#"{"model":"a","messages":[],"metadata":{"b":2, "windlass":1}}"#,
        &windlass,
        r#"{"model":"a","messages":[],"metadata":{"b":2}}"#,
    );
    check(
        r#"{"model":"a","messages":[],"metadata":{"b":2,"windlass":1,"c":3}}"#,
        &windlass,
        r#"{"model":"a","messages":[],"metadata":{"b":2,"c":3}}"#,
    );
}

#[test]
fn the_fields_that_matter_are_read() {
    let body = br#"{"m\u006fdel":"gpt\u002d4","messages":[{}],"stream":true,"max_tokens":5,"max_completion_tokens":7.0,
        "user":"u","stream_options":{"include_usage":true},"metadata":{"windlass":{"tags":["a"]},"k":"v"}}"#;
    let seen = peek(Dialect::OpenaiChat, body).unwrap();
    assert_eq!((&*seen.model, seen.stream, seen.include_usage), ("gpt-4", true, true));
    assert_eq!((seen.max_tokens, seen.user.as_deref()), (Some(7), Some("u")));
    assert_eq!(seen.windlass.unwrap().get(), r#"{"tags":["a"]}"#);
    let body = br#"{"model":"claude","max_tokens":9,"messages":[],"metadata":{"user_id":"u9"}}"#;
    let seen = peek(Dialect::AnthropicMessages, body).unwrap();
    assert_eq!((seen.max_tokens, seen.user.as_deref(), seen.stream), (Some(9), Some("u9"), false));
    let seen = peek(Dialect::OpenaiEmbeddings, br#"{"model":"e","input":["a"]}"#).unwrap();
    assert_eq!(&*seen.model, "e");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let refuse = |dialect, body: &[u8], code, place: &str| {
        let fault = peek(dialect, body).unwrap_err();
        let shown = format!("{} {:?}", fault.message, fault.param);
        assert_eq!(fault.code, code, "{shown}");
        assert!(shown.contains(place), "{place} is not in {shown}");
    };
    let chat = Dialect::OpenaiChat;
    refuse(chat, b"", Code::BadJson, "empty");
    refuse(chat, b"[1]", Code::BadJson, "an array");
    refuse(chat, b"{\"model\":\"m\",\n  oops}", Code::BadJson, "line 2 column 3");
    refuse(chat, b"{\"model\":\"m\",\"messages\":[", Code::BadJson, "too early");
    refuse(chat, br#"{"model":"m","messages":[]} x"#, Code::BadJson, "trailing");
    refuse(chat, b"{\"model\":\"\xff\"}", Code::BadUtf8, "byte 10");
    refuse(chat, br#"{"messages":[]}"#, Code::BadField, "`model`");
    refuse(chat, br#"{"model":null,"messages":[]}"#, Code::BadField, "`model`");
    refuse(chat, br#"{"model":4,"messages":[]}"#, Code::BadField, "not a number");
    refuse(chat, br#"{"model":"a","model":"b","messages":[]}"#, Code::BadField, "twice");
    refuse(chat, br#"{"model":"a","mod\u0065l":"b","messages":[]}"#, Code::BadField, "twice");
    refuse(chat, br#"{"model":"a"}"#, Code::BadField, "messages");
    refuse(chat, br#"{"model":"a","messages":{}}"#, Code::BadField, "not an object");
    refuse(chat, br#"{"model":"a","messages":[],"stream":"yes"}"#, Code::BadField, "stream");
    refuse(chat, br#"{"model":"a","messages":[],"max_tokens":-1}"#, Code::BadField, "max_tokens");
    refuse(chat, br#"{"model":"a","messages":[],"max_tokens":1.5}"#, Code::BadField, "max_tokens");
    refuse(
        chat,
        br#"{"model":"a","messages":[],"stream_options":{"include_usage":true,"include_usage":false}}"#,
        Code::BadField,
        "include_usage",
    );
    refuse(
        chat,
        br#"{"model":"a","messages":[],"metadata":{"windlass":1,"windlass":2}}"#,
        Code::BadField,
        "metadata.windlass",
    );
    refuse(Dialect::AnthropicMessages, br#"{"model":"a","messages":[]}"#, Code::BadField, "max_tokens");
    refuse(Dialect::OpenaiEmbeddings, br#"{"model":"a"}"#, Code::BadField, "input");
    refuse(Dialect::OpenaiEmbeddings, br#"{"model":"a","input":7}"#, Code::BadField, "input");
}

/// Raw JSON texts, odd ones among them, with their whitespace.
pub(crate) fn raw_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1.0e400".to_owned()),
        Just("-0.0E-999".to_owned()),
        Just("123456789012345678901234567890123456789".to_owned()),
        Just(r#""\u00e9\ud83d\ude00\/\b""#.to_owned()),
        Just(r#""\ud800""#.to_owned()),
        "[ -~&&[^\"\\\\]]{0,8}".prop_map(|text| format!("\"{text}\"")),
        "\\PC{0,6}".prop_map(|text| Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![Just("model"), Just("a"), Just("a"), Just("windlass"), Just("\\u0061")];
        let space = || prop_oneof![Just(""), Just(" "), Just("\n\t")];
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!("{space},")))),
            (proptest::collection::vec((key, inner), 0..4), space()).prop_map(|(members, space)| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\"{space}:{value}{space}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_that_is_not_named_survives(
        values in proptest::collection::vec(raw_json(), 1..6),
        messages in proptest::collection::vec(raw_json(), 0..3),
        order in any::<proptest::sample::Index>(),
        model in "[a-z/\"\\\\é]{1,9}",
    ) {
        // Unknown members before, between and after the known ones.
        let mut members: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(number, value)| format!("\"x{number}\" : {value}"))
            .collect();
        members.insert(order.index(members.len()), format!("\"messages\":[{}]", messages.join(", ")));
        let place = order.index(members.len());
        let body = |model: &str, extra: &str, tail: &str| {
            let mut members = members.clone();
            members.insert(place, format!("\"model\":{model}"));
            if !extra.is_empty() {
                members.insert(place, extra.to_owned());
            }
            format!(" {{\n{}{tail} }} ", members.join(" ,\t"))
        };
        let before = body("\"old\"", "\"metadata\": {\"windlass\":{} }", "");
        let quoted = Value::from(model.as_str()).to_string();
        let expect = body(&quoted, "", r#","stream_options":{"include_usage":true}"#);
        let rewrite = Rewrite { model: Some(&model), add_stream_usage: true, drop_windlass_metadata: true, more: &[] };
        let out = spliced(Dialect::OpenaiChat, &before, &rewrite);
        // The last member's trailing space stays behind the insertion.
        let squeezed = |text: &str| text.replace([' ', '\n', '\t'], "");
        prop_assert_eq!(squeezed(&out), squeezed(&expect));
        prop_assert_eq!(splice(&Bytes::from(before.clone()), &peek(Dialect::OpenaiChat, before.as_bytes()).unwrap(), &Rewrite::default()), before);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60), json in raw_json()) {
        for dialect in [Dialect::OpenaiChat, Dialect::OpenaiEmbeddings, Dialect::AnthropicMessages] {
            let _ = peek(dialect, &body);
            let _ = peek(dialect, json.as_bytes());
        }
    }
}

#[test]
fn parameters_are_added_and_every_other_byte_stays() {
    let wanted = types::Parameters {
        temperature: Some(0.1),
        max_tokens: Some(300),
        top_p: Some(0.9),
        ..types::Parameters::NONE
    };
    let long = "long ".repeat(20_000);
    for text in ["hi", &long] {
        let rest = format!(r#""messages":[{{"role":"user","content":"{text}"}}],"odd":1.0e400"#);
        let before = format!(
            "{{\n \"metadata\":{{\"windlass\":{{\"task\":\"code\"}}}}, \"model\":\"r\",\"top_p\": null,{rest}}}"
        );
        let body = Bytes::from(before);
        let seen = peek(Dialect::OpenaiChat, &body).unwrap();
        let said = wire::Said::of(&body);
        let writing = wire::Writing::plain(Dialect::OpenaiChat, "m");
        let (fits, _) = wire::fit_parameters(&wanted, &said, &writing, wire::Bounds::default());
        assert_eq!(fits, wanted);
        let more = said.edits(&fits, &writing);
        let rewrite =
            Rewrite { model: Some("m"), add_stream_usage: true, drop_windlass_metadata: true, more: &more };
        let expected = format!(
            "{{\"temperature\":0.1,\"max_tokens\":300,\n \"model\":\"m\",\"top_p\": 0.9,{rest},\"stream_options\":{{\"include_usage\":true}}}}"
        );
        let spliced = splice(&body, &seen, &rewrite);
        assert_eq!(spliced, expected);
        assert_eq!(spliced.pieces().count() > 1, text.len() > 1_000, "a large body stays where it is");
    }
}

#[test]
fn depth_is_no_danger() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        let body = format!(r#"{{"model":"m","messages":[],"x":{deep}}}"#);
        assert_eq!(spliced(Dialect::OpenaiChat, &body, &Rewrite::default()), body);
    }
}
