//! Packs a published table of model prices into the text that the library embeds:
//! `cargo run -p windlass-config --example pack_catalogue < model-prices.csv > crates/config/data/models.txt`

use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut table = String::new();
    io::stdin().read_to_string(&mut table)?;
    io::stdout().write_all(config::catalogue::pack::pack(&table)?.as_bytes())?;
    Ok(())
}
