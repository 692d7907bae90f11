use std::time::Duration;

use http_body_util::BodyExt as _;

use super::*;

fn headers(name: &http::HeaderName, values: &[&'static str]) -> HeaderMap {
    values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
}

#[test]
fn a_caller_gets_what_it_likes_best() {
    for (said, best) in [
        (&[][..], None),
        (&[""], None),
        (&["identity"], None),
        (&["deflate"], None),
        (&["gzip"], Some(Coding::Gzip)),
        (&["gzip, deflate, br, zstd"], Some(Coding::Zstd)),
        (&["gzip, deflate", "BR"], Some(Coding::Brotli)),
        (&["gzip;q=1.0, br;q=0.5, zstd;q=0"], Some(Coding::Gzip)),
        (&["zstd;q=0, br;q=0, gzip;q=0"], None),
        (&["*"], Some(Coding::Gzip)),
        (&["*, gzip;q=0"], None),
        (&["gzip;q=0.5, identity"], None),
        (&["gzip;q=0.5, identity;q=0.5"], Some(Coding::Gzip)),
        (&["gzip;q=many"], None),
        (&["gzip;q=2"], None),
    ] {
        assert_eq!(accepted(&headers(&ACCEPT_ENCODING, said)), best, "{said:?}");
    }
}

#[test]
fn a_body_says_how_it_is_coded() {
    for (said, coding) in [
        (&[][..], Ok(None)),
        (&["identity"], Ok(None)),
        (&["gzip"], Ok(Some(Coding::Gzip))),
        (&[" Zstd "], Ok(Some(Coding::Zstd))),
        (&["deflate"], Err(Code::BadCoding)),
        (&["gzip, br"], Err(Code::BadCoding)),
        (&["gzip", "br"], Err(Code::BadCoding)),
    ] {
        let found = of_request(&headers(&CONTENT_ENCODING, said)).map_err(|fault| fault.code);
        assert_eq!(found, coding, "{said:?}");
    }
}

const LIMITS: Limits = Limits { max: 1 << 20, idle: Duration::from_secs(1), rate: 1 };

async fn read(coded: impl Into<Bytes>, coding: Coding) -> Result<Bytes, Code> {
    let room = Room::new(4 << 20);
    let read = decode((coded.into(), Held::default()), coding, LIMITS, &room).await;
    read.map(|(plain, held)| {
        assert!(plain.len() < 64 << 10 || held.bytes() >= plain.len() as u64);
        plain
    })
    .map_err(|fault| fault.code)
}

#[tokio::test]
async fn coded_bodies_are_read_and_bombs_are_not() {
    for coding in PREFERRED {
        for size in [0, 10, 100_000, 1 << 20] {
            let text = vec![b'x'; size];
            let coded = wire::encode(coding, std::iter::once(&text[..])).unwrap();
            assert_eq!(read(coded.clone(), coding).await, Ok(text.into()), "{coding:?} {size}");
            let cut = coded[..coded.len() - 1].to_vec();
            // Nothing at all is an empty body.
            assert!(cut.is_empty() || read(cut, coding).await == Err(Code::BadCoding));
        }
        let bomb = vec![0; 100 << 20];
        let bomb = wire::encode(coding, std::iter::once(&bomb[..])).unwrap();
        assert_eq!(read(bomb, coding).await, Err(Code::BodyTooLarge), "{coding:?}");
        assert_eq!(read("{\"model\":\"m\"}", coding).await, Err(Code::BadCoding), "{coding:?}");
    }
}

#[tokio::test]
async fn only_what_is_whole_and_gains_leaves_coded() {
    let text = |size: usize| Bytes::from("text ".repeat(size / 5));
    let whole = |size| Response::new(ReplyBody::Whole(text(size)));
    let routed = |body| Response::new(ReplyBody::Routed(body, Bytes::new()));
    for coding in PREFERRED {
        for (response, size, is_coded) in [
            (whole(500), 500, false),
            (whole(5_000), 5_000, true),
            (whole(500_000), 500_000, true),
            (routed(axum::body::Body::from(text(5_000))), 5_000, true),
        ] {
            let response = reply(response, coding).await;
            assert_eq!(response.headers()[VARY], "accept-encoding");
            let said = response.headers().get(CONTENT_ENCODING).cloned();
            assert_eq!(said, is_coded.then(|| HeaderValue::from_static(coding.as_str())));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let plain = if is_coded { read(body, coding).await.unwrap() } else { body };
            assert_eq!(plain, text(size));
        }
        // Its size is not known: it may be a stream.
        let piece = Ok::<_, axum::Error>(text(5_000));
        let open = axum::body::Body::from_stream(futures_util::stream::iter([piece]));
        let response = reply(routed(open), coding).await;
        assert!(response.headers().is_empty(), "{response:?}");
    }
}
