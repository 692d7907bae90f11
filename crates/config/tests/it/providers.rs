//! Kinds of providers: each word brings its vendor's address, prices and ways.

use std::fs;
use std::path::{Path, PathBuf};

use config::compatible::COMPATIBLE;
use config::provider::{Api, Kind};
use types::Quirks;

use crate::given::{load, refused};

fn kind(yaml: &str) -> Kind {
    let config = load(&format!("providers: {{ p: {yaml} }}")).unwrap_or_else(|report| panic!("{report}"));
    config.providers[0].kind.clone()
}

#[test]
fn every_server_of_the_openai_kind_is_a_word() {
    for server in &COMPATIBLE {
        let url = server.base_url.unwrap_or("http://10.0.0.1:8000/v1");
        let Kind::Openai(openai) = kind(&format!("{{ kind: {}, base_url: '{url}' }}", server.kind)) else {
            panic!("{} is not of OpenAI's kind", server.kind)
        };
        assert_eq!(openai.server, server);
        assert_eq!(openai.remote.base_url.as_str(), url);
        if let Some(prices) = server.prices {
            assert!(config::Catalogue::embedded().has_vendor(prices), "{prices} is not in the price list");
        }
        if server.base_url.is_some() {
            assert!(matches!(kind(&format!("{{ kind: {} }}", server.kind)), Kind::Openai(_)));
        }
    }
}

#[test]
fn an_address_tells_whose_server_it_is() {
    let Kind::Openai(openai) = kind("{ kind: openai, base_url: 'https://api.mistral.ai/v1' }") else {
        panic!("not openai")
    };
    assert_eq!(openai.server.kind, "mistral");
    assert_eq!(openai.api, Api::Chat);
    let Kind::Openai(openai) = kind("{ kind: openai, base_url: 'http://127.0.0.1:1/v1' }") else {
        panic!("not openai")
    };
    assert_eq!((openai.server.quirks, openai.api), (Quirks::OPENAI, Api::Chat));
    let Kind::Openai(openai) = kind("{ kind: openai }") else { panic!("not openai") };
    assert_eq!(openai.api, Api::Both);
}

#[test]
fn clouds_say_what_opens_them() {
    let Kind::Azure(azure) = kind(
        "{ kind: azure, base_url: 'https://me.openai.azure.com', \
         oauth: { tenant: t-1, client_id: c, client_secret: hush } }",
    ) else {
        panic!("not azure")
    };
    let oauth = azure.oauth.unwrap();
    assert_eq!(oauth.token_url.as_str(), "https://login.microsoftonline.com/t-1/oauth2/v2.0/token");
    assert_eq!((azure.api, azure.api_version), (Api::Both, None));
    assert!(!format!("{oauth:?}", oauth = oauth.client_secret).contains("hush"));
    let Kind::Bedrock(bedrock) =
        kind("{ kind: bedrock, region: eu-central-1, access_key_id: AKIA, secret_access_key: hush }")
    else {
        panic!("not bedrock")
    };
    assert_eq!(bedrock.remote.base_url.as_str(), "https://bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(bedrock.credentials.unwrap().access_key_id, "AKIA");
    let Kind::Gemini(gemini) = kind("{ kind: gemini, api_key: k }") else { panic!("not gemini") };
    assert_eq!(gemini.base_url.host(), "generativelanguage.googleapis.com");
}

#[test]
fn what_is_missing_is_named() {
    for (yaml, said) in [
        ("{ kind: vllm }", "`base_url` is missing"),
        ("{ kind: azure, base_url: 'https://x.openai.azure.com' }", "needs an `api_key` or `oauth`"),
        (
            "{ kind: azure, base_url: 'https://x.openai.azure.com', oauth: { client_id: a, client_secret: b } }",
            "`tenant` or `token_url` is missing",
        ),
        ("{ kind: bedrock, region: us-east-1 }", "needs a key pair"),
        ("{ kind: bedrock, region: us-east-1, access_key_id: a }", "go together"),
        ("{ kind: bedrock, region: 'US East', api_key: k }", "name of an AWS region"),
        ("{ kind: grok }", "did you mean `groq`"),
        ("{ kind: vertex }", "comes in a later version"),
    ] {
        let report = refused(&format!("providers: {{ p: {yaml} }}"));
        assert!(report.contains(said), "{yaml}: {report}");
    }
}

/// Adding a provider of the OpenAI kind touches one place in the code: its row.
#[test]
fn a_vendors_word_stands_in_one_place() {
    fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                sources(&path, out);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                out.push(path);
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    sources(crates, &mut files);
    assert!(files.len() > 100, "only {} files found", files.len());
    // The address book of prices names vendors too: it is older, and is told by addresses, not by kinds.
    let known = ["compatible.rs", "catalogue/vendor.rs"];
    for path in files.iter().filter(|path| !known.iter().any(|known| path.ends_with(known))) {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for server in &COMPATIBLE {
            // Words that mean something else too.
            if ["openai", "meta", "cohere", "mistral", "deepseek", "llamacpp"].contains(&server.kind) {
                continue;
            }
            let word = format!("\"{}\"", server.kind);
            assert!(!code.contains(&word), "{} names {word}", path.display());
        }
    }
}
