//! Kept answers: conversations are whole or not there, and each tenant finds its own.

use store::Sqlite;
use store::responses::{Kept, Responses, Turn};
use types::Timestamp;

fn kept(id: &str, previous: Option<&str>, tenant: Option<&str>, at: i64) -> Kept {
    Kept {
        id: id.to_owned(),
        previous: previous.map(str::to_owned),
        tenant: tenant.map(str::to_owned),
        at: Timestamp::from_micros(at),
        input: format!("\"in {id}\""),
        output: format!("\"out {id}\""),
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

#[tokio::test]
async fn a_conversation_is_the_chain_of_its_answers() {
    let store = Sqlite::in_memory().await.unwrap();
    for (id, previous, at) in [("a", None, 1), ("b", Some("a"), 2), ("c", Some("b"), 3), ("x", Some("b"), 4)]
    {
        store.keep(kept(id, previous, Some("t"), at)).await.unwrap();
    }
    let turns = store.history("c", Some("t")).await.unwrap().unwrap();
    let turn = |id: &str| Turn { input: format!("\"in {id}\""), output: format!("\"out {id}\"") };
    assert_eq!(turns, [turn("a"), turn("b"), turn("c")]);
    assert_eq!(store.find("c", Some("t")).await.unwrap().unwrap(), r#"{"id":"c"}"#);
    // Kept once, as it was first kept.
    store.keep(kept("c", None, Some("t"), 9)).await.unwrap();
    assert_eq!(store.history("c", Some("t")).await.unwrap().unwrap().len(), 3);
    // One that is gone breaks what comes after it, and nothing is passed off as whole.
    assert_eq!(store.forget(Timestamp::from_micros(2)).await.unwrap(), 1);
    assert_eq!(store.history("c", Some("t")).await.unwrap(), None);
    assert!(store.remove("x", Some("t")).await.unwrap());
    assert!(!store.remove("x", Some("t")).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn nobody_finds_anothers_answers() {
    let store = Sqlite::in_memory().await.unwrap();
    store.keep(kept("a", None, Some("t"), 1)).await.unwrap();
    store.keep(kept("open", None, None, 1)).await.unwrap();
    for stranger in [None, Some("u")] {
        assert_eq!(store.history("a", stranger).await.unwrap(), None);
        assert_eq!(store.find("a", stranger).await.unwrap(), None);
        assert!(!store.remove("a", stranger).await.unwrap());
    }
    assert!(store.find("open", None).await.unwrap().is_some());
    assert_eq!(store.find("open", Some("t")).await.unwrap(), None);
    store.close().await;
}
