//! Signatures against AWS's published vectors, and against a computation that shares nothing with the signer's.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, Method, Request};
use sha2::{Digest as _, Sha256};
use types::{Code, Timestamp};

use super::{Keys, Signer};

/// 2015-08-30T12:36:00Z, the moment of AWS's vectors.
const THEN: Timestamp = Timestamp::from_micros(1_440_938_160_000_000);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn keys(session_token: Option<&str>) -> Keys {
    Keys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: session_token.map(str::to_owned),
    }
}

fn request(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        request.headers_mut().insert(name, value);
    }
    request
}

fn header<'r>(request: &'r Request<()>, name: &str) -> &'r str {
    request.headers()[name].to_str().unwrap()
}

fn signature(request: &Request<()>) -> &str {
    header(request, "authorization").split_once("Signature=").unwrap().1
}

#[test]
fn published_vectors() {
    const HOST: (&str, &str) = ("host", "example.amazonaws.com");
    let unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let (get, post) = (Method::GET, Method::POST);
    // AWS's test suite: get-vanilla, get-relative-normalized, get-slashes-normalized, …
    for (method, path, token, expected) in [
        (&get, "/", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (&get, "/example/..", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (&get, "//example//", None, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        (&get, unreserved, None, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        (
            &get,
            "/?Param2=value2&Param1=value1",
            None,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (&get, "/", Some(token), "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
        (&post, "/", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (&post, "/?Param1=value1", None, "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ] {
        let mut request = request(method.clone(), path, &[HOST]);
        Signer::new("us-east-1", "service", keys(token)).sign(&mut request, b"", THEN).unwrap();
        assert_eq!(signature(&request), expected, "{method} {path}");
        assert_eq!(header(&request, "x-amz-date"), "20150830T123600Z");
        assert_eq!(request.headers().contains_key("x-amz-security-token"), token.is_some());
    }
    // The example of AWS's guide to signing.
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let headers = [("host", "iam.amazonaws.com"), ("content-type", form)];
    let mut request = request(Method::GET, "/?Action=ListUsers&Version=2010-05-08", &headers);
    Signer::new("us-east-1", "iam", keys(None)).sign(&mut request, b"", THEN).unwrap();
    assert_eq!(
        header(&request, "authorization"),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The signature, step by step as AWS's guide has it.
fn computed(canonical: &str, region: &str) -> String {
    let scope = format!("20150830/{region}/bedrock/aws4_request");
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{digest}");
    let steps = ["20150830", region, "bedrock", "aws4_request"];
    let key = steps.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, step| mac(&key, step));
    hex(&mac(&key, &to_sign))
}

const PATH: &str = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x-v1%3A0/converse";
const BODY: &[u8] = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Grüße\"}]}]}".as_bytes();

/// As it goes to Bedrock, with headers that are nobody's business.
fn call() -> Request<()> {
    request(
        Method::POST,
        PATH,
        &[
            ("host", "bedrock-runtime.eu-central-1.amazonaws.com"),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", "windlass/0"),
            ("traceparent", "00-1-2-01"),
            ("x-amzn-bedrock-trace", "ENABLED"),
            ("x-amz-meta", "  kept   so "),
        ],
    )
}

#[test]
fn a_call_to_bedrock() {
    // What is in the path once is encoded twice in what is signed.
    let path = PATH.replace('%', "%25");
    let canonical = format!(
        "POST\n{path}\n\ncontent-type:application/json\nhost:bedrock-runtime.eu-central-1.amazonaws.com\n\
         x-amz-date:20150830T123600Z\nx-amz-meta:kept so\nx-amz-security-token:token\n\n\
         content-type;host;x-amz-date;x-amz-meta;x-amz-security-token\n{}",
        hex(&Sha256::digest(BODY))
    );
    let signer = Signer::bedrock("eu-central-1", keys(Some("token")));
    let mut request = call();
    signer.sign(&mut request, BODY, THEN).unwrap();
    assert_eq!(signature(&request), computed(&canonical, "eu-central-1"));
    // What AWS's own signer makes of it (botocore 1.44.5).
    assert_eq!(signature(&request), "b4d9d0095972191fd48cfed44d516eb4d85764efa45b45dee3ef25b31e7c9d18");
    assert_eq!(header(&request, "x-amz-security-token"), "token");
    assert!(request.headers()["authorization"].is_sensitive());
    assert!(request.headers()["x-amz-security-token"].is_sensitive());
    // The path goes as it was.
    assert_eq!(request.uri(), PATH);

    // Signed again, it is the same; what is not signed may change.
    let first = signature(&request).to_owned();
    request.headers_mut().remove("traceparent");
    request.headers_mut().insert("user-agent", HeaderValue::from_static("another"));
    signer.sign(&mut request, BODY, THEN).unwrap();
    assert_eq!(signature(&request), first);
    assert_eq!(request.headers().get_all("authorization").iter().count(), 1);

    // What is signed may not.
    let changed = |change: &dyn Fn(&mut Request<()>), body: &[u8], at: Timestamp| {
        let mut request = call();
        change(&mut request);
        signer.sign(&mut request, body, at).unwrap();
        assert_ne!(signature(&request), first);
    };
    changed(&|_| {}, b"{}", THEN);
    changed(&|_| {}, BODY, Timestamp::from_micros(THEN.as_micros() + 1_000_000));
    changed(&|request| *request.uri_mut() = "/model/x/converse".parse().unwrap(), BODY, THEN);
    let host = HeaderValue::from_static("127.0.0.1:8080");
    changed(&|request| drop(request.headers_mut().insert("host", host.clone())), BODY, THEN);
}

#[test]
fn what_cannot_be_signed_is_a_fault() {
    let signer = Signer::bedrock("us-east-1", keys(None));
    let refused = |request: &mut Request<()>| {
        let fault = signer.sign(request, b"", THEN).unwrap_err();
        assert_eq!(fault.code, Code::Internal);
        assert!(!request.headers().contains_key("authorization"));
        fault.message.clone()
    };
    assert!(refused(&mut request(Method::POST, "/", &[])).contains("host"));
    let mut odd = call();
    odd.headers_mut().insert("x-amz-meta", HeaderValue::from_bytes(b"\xff").unwrap());
    assert!(refused(&mut odd).contains("text"));
    let mut nowhere = call();
    nowhere.headers_mut().insert("host", HeaderValue::from_static("a b"));
    assert!(refused(&mut nowhere).contains("address"));
}

#[test]
fn secrets_are_not_shown() {
    let keys = keys(Some("token-1"));
    let shown = format!("{keys:?} {:?}", Signer::bedrock("us-east-1", keys.clone()));
    assert!(shown.contains("AKIDEXAMPLE") && shown.contains("us-east-1"));
    assert!(!shown.contains("wJalr") && !shown.contains("token-1"), "{shown}");
}
