//! The ledger on SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use store::ledger::{Filter, Group, Inserted, Ledger, Order, Total};
use store::spool::SpoolOptions;
use store::sqlite::{Durability, SqliteOptions};
use store::{Record, Spool, Sqlite, StoreError};
use types::ledger::{Outcome, Rest, Row, Seam};
use types::{
    Applied, Code, Dialect, Kind, Money, Parameter, Parameters, RunId, Timestamp, Timing, TraceId, Usage,
    UsageSource,
};

use crate::recovery::{all, drain};
use crate::sample::row;

fn options() -> SqliteOptions {
    SqliteOptions::default()
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0_u64..10_000, Just(i64::MAX.unsigned_abs())]
}

fn stage() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((0_u64..u64::from(u32::MAX)).prop_map(Duration::from_micros))
}

fn name() -> impl Strategy<Value = Option<Arc<str>>> {
    prop::option::of("[a-zü'\"%-]{0,8}".prop_map(Arc::from))
}

fn usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform8(count()).prop_map(|[a, b, c, d, e, f, g, h]| Usage {
        input: a,
        output: b,
        cache_read: c,
        cache_write: d,
        cache_write_1h: e,
        reasoning: f,
        audio_input: g,
        audio_output: h,
    })
}

fn cost() -> impl Strategy<Value = Option<Money>> {
    prop::option::of(prop_oneof![
        (0_i128..10_i128.pow(13)).prop_map(Money::from_pico),
        (-(10_i128.pow(30))..10_i128.pow(30)).prop_map(Money::from_pico),
    ])
}

/// Rows with anything in them; a different call for each `number`.
fn any_row(number: u64) -> impl Strategy<Value = Row> {
    let outcomes = [
        Outcome::Complete,
        Outcome::Failed,
        Outcome::Cut,
        Outcome::Stalled,
        Outcome::HungUp,
        Outcome::Stopped,
        Outcome::Panicked,
    ];
    let kinds = [Kind::NetworkTimeout, Kind::Budget, Kind::Cancelled, Kind::InvalidResponse];
    let sources = [UsageSource::Reported, UsageSource::Counted, UsageSource::Estimated, UsageSource::None];
    let dialects = [Dialect::OpenaiChat, Dialect::OpenaiEmbeddings, Dialect::AnthropicMessages];
    let words = (
        prop::sample::select(outcomes.to_vec()),
        prop::option::of(prop::sample::select(kinds.to_vec())),
        prop::option::of(prop::sample::select(Code::ALL.to_vec())),
        prop::sample::select(sources.to_vec()),
        prop::sample::select(dialects.to_vec()),
    );
    let names = (name(), name(), name(), name(), name());
    let stages = prop::array::uniform7(stage());
    let rest =
        (any::<[bool; 3]>(), prop::option::of(any::<u16>()), prop::option::of(any::<[u8; 16]>()), 1_u128..);
    (words, names, stages, usage(), cost(), rest).prop_map(
        move |(
            words,
            (caller, tenant, user, step, model),
            stages,
            usage,
            cost,
            (switches, status, run, trace),
        )| {
            let (outcome, fault, code, usage_source, dialect) = words;
            let [streamed, fallback, simulated] = switches;
            let [dns, connect, tls, first_byte, first_token, transfer, total] = stages;
            Row {
                caller,
                tenant,
                user,
                step,
                model: model.unwrap_or_else(|| "m".into()),
                outcome,
                fault,
                code,
                usage_source,
                dialect,
                streamed,
                fallback,
                simulated,
                status,
                usage,
                cost,
                trace: TraceId::from_bytes(trace.to_be_bytes()).unwrap(),
                run: run.map(RunId::from_bytes),
                profile: status.map(|seed| Box::new(applied(seed))),
                seam: status.map(|status| Seam {
                    at_bytes: status.into(),
                    how: if simulated { Rest::Prefill } else { Rest::Anew },
                }),
                timing: Timing { dns, connect, tls, first_byte, first_token, transfer, total },
                ..row(number)
            }
        },
    )
}

/// What a profile did, with each part of it there or not.
fn applied(seed: u16) -> Applied {
    let on = |bit: u16| seed & (1 << bit) != 0;
    Applied {
        name: format!("code+\"{seed}\""),
        applied: Parameters {
            temperature: on(0).then_some(f64::from(seed) / 7.0),
            max_tokens: on(1).then_some(u64::from(seed)),
            top_p: on(2).then_some(1.0),
            ..Parameters::NONE
        },
        left_out: Parameter::ALL.into_iter().filter(|_| on(3)).collect(),
    }
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    (1_usize..40).prop_flat_map(|rows| (0..rows as u64).map(any_row).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_row_comes_back_and_any_sum_is_exact(rows in any_rows()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (stored, totals) = runtime.block_on(async {
            let ledger = Sqlite::in_memory().await.unwrap();
            let inserted = ledger.insert(&rows).await.unwrap();
            assert_eq!(inserted, Inserted { new: rows.len() as u64, known: 0 });
            (all(&ledger).await, ledger.totals(&Filter::default(), Group::Model).await.unwrap())
        });
        prop_assert_eq!(&stored, &rows);

        let mut expected = BTreeMap::<String, Total>::new();
        for row in &rows {
            let key = format!("{}/{}", row.provider, row.model);
            let total = expected.entry(key.clone()).or_insert_with(|| Total { key, first: row.at, ..Total::default() });
            total.calls += 1;
            total.attempts += 1;
            total.incomplete += u64::from(row.outcome != Outcome::Complete);
            total.unpriced += u64::from(row.cost.is_none() && row.usage_source != UsageSource::None);
            total.usage.add(&row.usage);
            total.cost += row.cost.unwrap_or_default();
            total.last = row.at;
        }
        prop_assert_eq!(totals, expected.into_values().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_line_is_what_serde_would_write(row in any_row(7)) {
        let record = Record::from(&row);
        prop_assert_eq!(&*record.json, serde_json::to_string(&row).unwrap());
        prop_assert_eq!(record.row().unwrap(), row);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_row_comes_through_the_spool_with_its_key_and_run(rows in any_rows()) {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
        for row in &rows {
            spool.append(row).unwrap();
        }
        drop(spool);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ledger = Sqlite::in_memory().await.unwrap();
            drain(dir.path(), &ledger).await;
            assert_eq!(all(&ledger).await, rows);
            for row in rows {
                let call = Filter { call: Some(row.key.call), run: row.run, ..Filter::default() };
                assert_eq!(ledger.query(&call).await.unwrap(), [row]);
            }
        });
    }
}

/// Brings a database of the first version, with these rows in it, up to date.
async fn upgraded(rows: &str) -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let first = "0001_ledger_and_journal.sql";
    let migrations = dir.path().join("migrations");
    std::fs::create_dir(&migrations).unwrap();
    let ours = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    std::fs::copy(ours.join(first), migrations.join(first)).unwrap();
    let path = dir.path().join("windlass.db");
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    sqlx::migrate::Migrator::new(migrations).await.unwrap().run(&raw).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows.to_owned())).execute(&raw).await.unwrap();
    raw.close().await;
    (dir, Sqlite::open(&path, &options()).await.unwrap())
}

#[tokio::test]
async fn rows_of_the_first_version_are_taken_along() {
    let (_dir, ledger) = upgraded(
        "INSERT INTO ledger VALUES
         (x'0192f6d2c0007000800000000000000a', 2, 1790000000000000, x'000000000000000000000000000000ff',
          x'0192f6d2c0007000800000000000000b', 'st\"ep', 'team', 'tenant', 'user', 'smart', 'openai', 'gpt',
          'openai_chat', 1, 0, 1, 'cut', 200, 'network_timeout', 'WL4005', 1, 2, 3, 4, 5, 6, 7, 8,
          'reported', 1, 250000000000, 10, 11, 12, 13, 14, 15, 16),
         (x'0192f6d2c0007000800000000000000c', 1, 1790000000000001, x'000000000000000000000000000000ff',
          NULL, NULL, NULL, NULL, NULL, 'smart', 'openai', 'gpt', 'openai_chat', 0, 0, 0, 'failed', NULL, NULL,
          NULL, 0, 0, 0, 0, 0, 0, 0, 0, 'none', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
         (x'0192f6d2c0007000800000000000000d', 1, 1790000000000002, x'000000000000000000000000000000ff',
          NULL, NULL, NULL, NULL, NULL, 'smart', 'openai', 'gpt', 'openai_chat', 0, 0, 0, 'complete', 200, NULL,
          NULL, 9, 0, 0, 0, 0, 0, 0, 0, 'estimated', -1, 750000000000, NULL, NULL, NULL, NULL, NULL, NULL, 1)",
    )
    .await;
    let rows = all(&ledger).await;
    let full = &rows[0];
    assert_eq!(full.key.call.to_string(), "call_0192f6d2c0007000800000000000000a");
    assert_eq!((full.key.attempt, full.run.is_some(), full.step.as_deref()), (2, true, Some("st\"ep")));
    assert_eq!((full.streamed, full.simulated, full.status), (true, true, Some(200)));
    assert_eq!((full.outcome, full.code), (Outcome::Cut, Some(Code::StreamCut)));
    assert_eq!((full.usage.input, full.usage.audio_output), (1, 8));
    assert_eq!(full.timing.dns, Some(Duration::from_micros(10)));
    assert_eq!(full.timing.total, Some(Duration::from_micros(16)));
    let costs: Vec<_> = rows.iter().map(|row| row.cost.map(Money::as_pico)).collect();
    assert_eq!(costs, [Some(1_250_000_000_000), None, Some(-250_000_000_000)]);
    assert_eq!((&rows[1].caller, rows[1].fault, rows[1].timing), (&None, None, Timing::default()));
    let sum = &ledger.totals(&Filter::default(), Group::All).await.unwrap()[0];
    assert_eq!((sum.cost, sum.usage.input), (Money::from_pico(1_000_000_000_000), 10));
}

#[tokio::test]
async fn a_row_that_is_written_again_is_kept_once_as_it_was() {
    let ledger = Sqlite::in_memory().await.unwrap();
    let rows: Vec<_> = (0..20).map(row).collect();
    assert_eq!(ledger.insert(&rows).await.unwrap(), Inserted { new: 20, known: 0 });
    let mut again: Vec<_> = (10..40).map(row).collect();
    again[0].outcome = Outcome::Panicked;
    assert_eq!(ledger.insert(&again).await.unwrap(), Inserted { new: 20, known: 10 });
    assert_eq!(ledger.insert(&[]).await.unwrap(), Inserted::default());
    assert_eq!(all(&ledger).await, (0..40).map(row).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_exact_count_takes_the_place_of_the_estimate_and_of_nothing_else() {
    let ledger = Sqlite::in_memory().await.unwrap();
    let with = |number, source, input| {
        let mut row = row(number);
        row.usage = Usage::plain(input, 1);
        row.usage_source = source;
        row
    };
    let (estimated, counted) = (with(0, UsageSource::Estimated, 10), with(0, UsageSource::Counted, 12));
    let reported = with(1, UsageSource::Reported, 20);
    // In one statement, and the later again.
    ledger.insert(&[estimated.clone(), reported.clone(), counted.clone()]).await.unwrap();
    assert_eq!(all(&ledger).await, [counted.clone(), reported.clone()]);
    for known in [estimated, with(1, UsageSource::Counted, 21), with(0, UsageSource::Counted, 13)] {
        ledger.insert(&[known]).await.unwrap();
    }
    assert_eq!(all(&ledger).await, [counted, reported]);
}

#[tokio::test]
async fn filters_and_pages_find_what_they_should() {
    let ledger = Sqlite::in_memory().await.unwrap();
    let mut rows: Vec<_> = (0..50).map(row).collect();
    let run = RunId::new(rows[0].at, [7; 10]);
    rows[3].run = Some(run);
    rows[4].provider = "anthropic".into();
    rows[5].outcome = Outcome::Cut;
    rows[6].caller = None;
    rows[7].key.attempt = 2;
    rows[7].key.call = rows[8].key.call;
    rows[9].model = "other".into();
    ledger.insert(&rows).await.unwrap();

    let only = |filter: Filter| {
        let ledger = ledger.clone();
        async move { ledger.query(&filter).await.unwrap() }
    };
    let any = Filter::default;
    assert_eq!(only(Filter { run: Some(run), ..any() }).await, [rows[3].clone()]);
    assert_eq!(only(Filter { provider: Some("anthropic".into()), ..any() }).await, [rows[4].clone()]);
    assert_eq!(only(Filter { outcome: Some(Outcome::Cut), ..any() }).await, [rows[5].clone()]);
    assert_eq!(only(Filter { model: Some("other".into()), ..any() }).await, [rows[9].clone()]);
    assert_eq!(only(Filter { caller: Some("nobody' OR 1".into()), ..any() }).await, []);
    let call = Filter { call: Some(rows[8].key.call), ..any() };
    assert_eq!(only(call).await, [rows[7].clone(), rows[8].clone()], "the newest attempt first");
    let hour = Filter { since: Some(rows[10].at), until: Some(rows[12].at), order: Order::Oldest, ..any() };
    assert_eq!(only(hour).await, rows[10..12]);

    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = only(Filter { after, limit: Some(7), ..any() }).await;
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        pages.extend(page);
    }
    let mut newest = all(&ledger).await;
    newest.reverse();
    assert_eq!(pages, newest);
}

#[tokio::test]
async fn totals_are_grouped() {
    let ledger = Sqlite::in_memory().await.unwrap();
    let mut rows: Vec<_> = (0..4).map(row).collect();
    rows[1].at = Timestamp::from_micros(rows[0].at.as_micros() + 86_400_000_000);
    rows[2].caller = None;
    rows[2].cost = None;
    rows[3].key.call = rows[0].key.call;
    rows[3].key.attempt = 2;
    rows[3].run = Some(RunId::new(rows[0].at, [1; 10]));
    ledger.insert(&rows).await.unwrap();
    let keys = |by| {
        let ledger = ledger.clone();
        async move {
            let totals = ledger.totals(&Filter::default(), by).await.unwrap();
            totals.into_iter().map(|total| (total.key, total.calls, total.attempts)).collect::<Vec<_>>()
        }
    };
    let owned = |rows: &[(&str, u64, u64)]| -> Vec<_> {
        rows.iter().map(|&(key, calls, attempts)| (key.to_owned(), calls, attempts)).collect()
    };
    assert_eq!(keys(Group::Day).await, owned(&[("2026-09-21", 2, 3), ("2026-09-22", 1, 1)]));
    assert_eq!(keys(Group::Caller).await, owned(&[("", 1, 1), ("team-a", 2, 3)]));
    assert_eq!(keys(Group::Provider).await, owned(&[("openai", 3, 4)]));
    assert_eq!(keys(Group::Outcome).await, owned(&[("complete", 3, 4)]));
    let run = rows[3].run.unwrap().to_string();
    assert_eq!(keys(Group::Run).await, owned(&[("", 3, 3), (&run, 1, 1)]));
    let sum = &ledger.totals(&Filter::default(), Group::All).await.unwrap()[0];
    assert_eq!((sum.unpriced, sum.cost), (1, Money::from_pico(3 * 1_234_567_890)));
    assert_eq!(
        ledger
            .totals(
                &Filter { since: Some(Timestamp::from_micros(i64::MAX)), ..Filter::default() },
                Group::All
            )
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn a_database_outlives_its_process_and_is_shared_by_two() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/on/the/way/windlass.db");
    let first = Sqlite::open(&path, &options()).await.unwrap();
    let second =
        Sqlite::open(&path, &SqliteOptions { durability: Durability::Power, ..options() }).await.unwrap();
    let writer = |ledger: Sqlite, from: u64| async move {
        let mut new = 0;
        for start in (from..from + 200).step_by(20) {
            let rows: Vec<_> = (start..start + 40).map(row).collect();
            new += ledger.insert(&rows).await.unwrap().new;
        }
        new
    };
    let a = tokio::spawn(writer(first.clone(), 0));
    let b = tokio::spawn(writer(second.clone(), 100));
    let new = a.await.unwrap() + b.await.unwrap();
    assert_eq!(new, 320);
    first.close().await;
    second.close().await;
    let reopened = Sqlite::open(&path, &options()).await.unwrap();
    assert_eq!(all(&reopened).await, (0..320).map(row).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    Sqlite::open(&path, &options()).await.unwrap().close().await;
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', 1, x'00', 1)";
    sqlx::query(newer).execute(&raw).await.unwrap();
    raw.close().await;
    let error = Sqlite::open(&path, &options()).await.unwrap_err();
    assert!(matches!(error, StoreError::Migrate(_)), "{error}");
    assert_eq!(types::Fault::from(error).code, Code::Database);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    std::fs::write(&path, "not a database, but long enough to look like one ".repeat(100)).unwrap();
    let error = Sqlite::open(&path, &options()).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}
