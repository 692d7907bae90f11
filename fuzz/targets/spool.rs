//! The ledger's spool: damaged bytes are told from records, nothing is lost but the damage, and a record
//! behind it is found. The file with the format is taken as it is, without the store's database around it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use types::ledger::Row;

#[path = "../../crates/store/src/spool/frame.rs"]
mod frame;

use frame::{Piece, Scan};

/// A record as it is written.
static RECORD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let row: Row = serde_json::from_str(include_str!("../row.json")).expect("row.json is a ledger row");
    let mut bytes = Vec::new();
    let line = serde_json::to_vec(&row).expect("a row is JSON");
    frame::encode(|record| record.extend_from_slice(&line), &mut bytes);
    bytes
});

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, damage) = input;
    let pieces: Vec<Piece> = Scan::whole(damage).collect();
    let mut at = 0;
    for piece in &pieces {
        assert!(piece.end() > at, "a piece without bytes");
        if let Piece::Record { json, .. } = piece {
            assert!(json.start >= at && json.end <= piece.end(), "a record outside its piece");
        }
        at = piece.end();
    }
    assert_eq!(at, damage.len(), "bytes that belong to no piece");

    // Reading only a beginning gives the same pieces as far as it gives any.
    let beginning = &damage[..damage.len().min(usize::from(cut))];
    for (early, late) in Scan::beginning(beginning).zip(&pieces) {
        assert_eq!(&early, late, "read too early");
    }

    // A whole record after the damage, on a line of its own.
    let bytes = [damage, b"\n", &RECORD].concat();
    let json = bytes.len() - RECORD.len() + 21..bytes.len() - 1;
    let found =
        Scan::whole(&bytes).any(|piece| matches!(piece, Piece::Record { json: at, .. } if at == json));
    assert!(found, "the record behind the damage was not found");
});
