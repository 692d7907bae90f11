//! Against the numbers of seed 004.

use types::Parameters;

use super::{Choice, Decided, Response, Table, Task, Unknown, adaptive};

fn parameters(temperature: f64, max_tokens: u64, top_p: f64, frequency_penalty: f64) -> Parameters {
    Parameters {
        temperature: Some(temperature),
        max_tokens: Some(max_tokens),
        top_p: Some(top_p),
        frequency_penalty: Some(frequency_penalty),
        presence_penalty: None,
    }
}

fn task(name: &str) -> Choice<'_> {
    Choice { task: Some(name), profile: None }
}

fn profile(name: &str) -> Choice<'_> {
    Choice { task: None, profile: Some(name) }
}

fn decided(caller: Choice<'_>, route: Choice<'_>) -> (String, Parameters) {
    let Decided { name, parameters } =
        Table::default().decide(caller, route, || panic!("not asked for")).unwrap().unwrap();
    (name, parameters)
}

#[test]
fn the_built_in_numbers_are_the_seeds() {
    let table = Table::default();
    for (name, heat, tokens) in
        [("chat", 0.7, 500), ("code", 0.1, 1_000), ("analysis", 0.3, 1_500), ("creative", 0.9, 800)]
    {
        let expected = Parameters { temperature: Some(heat), max_tokens: Some(tokens), ..Parameters::NONE };
        assert_eq!(table.task(name).unwrap().parameters, expected, "{name}");
    }
    for (name, expected) in [
        ("speed_optimized", parameters(0.3, 300, 0.9, 0.1)),
        ("quality_optimized", parameters(0.7, 1_000, 0.95, 0.0)),
        ("balanced", parameters(0.5, 600, 0.92, 0.05)),
        ("cost_optimized", parameters(0.4, 200, 0.9, 0.2)),
    ] {
        assert_eq!(table.profile(name), Some(expected), "{name}");
    }
    assert_eq!(table.task_names().count() + table.profile_names().count(), 4 + 1 + 4 + 2);
}

#[test]
fn adapting_is_the_seeds_rule() {
    let base = Table::default().profile("balanced").unwrap();
    let cases = [
        // Below 100 characters: shorter and cooler.
        ((0, None), parameters(0.3, 300, 0.92, 0.05)),
        ((99, None), parameters(0.3, 300, 0.92, 0.05)),
        // From 100 to 1000 as it is.
        ((100, None), base),
        ((1_000, None), base),
        // Above: longer and warmer.
        ((1_001, None), parameters(0.6, 1_100, 0.92, 0.05)),
        // The kind of answer comes after the length.
        ((50, Some(Response::Factual)), parameters(0.1, 300, 0.85, 0.05)),
        ((500, Some(Response::Creative)), parameters(0.9, 600, 0.98, 0.05)),
        ((5_000, Some(Response::Code)), parameters(0.2, 1_100, 0.92, 0.1)),
    ];
    for ((length, response), expected) in cases {
        assert_eq!(adaptive(base, length, response), expected, "{length} {response:?}");
    }
    // The bounds hold for an operator's own numbers, and what is not set is not made up.
    let hot = Parameters { temperature: Some(0.79), max_tokens: Some(1_400), ..Parameters::NONE };
    let long = adaptive(hot, 2_000, None);
    assert_eq!((long.temperature, long.max_tokens, long.top_p), (Some(0.8), Some(1_500), None));
    let short = adaptive(hot, 1, None);
    assert_eq!((short.temperature, short.max_tokens), (Some(0.59), Some(300)));
    assert_eq!(adaptive(Parameters::NONE, 1, None), Parameters::NONE);
}

#[test]
fn the_callers_names_come_before_the_routes_and_the_task_before_the_profile() {
    let none = Choice::default();
    let both = Choice { task: Some("code"), profile: Some("speed_optimized") };
    let code_then_speed = ("code+speed_optimized".to_owned(), parameters(0.1, 1_000, 0.9, 0.1));
    assert_eq!(decided(both, none), code_then_speed);
    assert_eq!(decided(none, both), code_then_speed);
    assert_eq!(decided(task("code"), profile("speed_optimized")), code_then_speed);
    // The caller's profile before the route's task.
    let speed_then_code = ("speed_optimized+code".to_owned(), parameters(0.3, 300, 0.9, 0.1));
    assert_eq!(decided(profile("speed_optimized"), task("code")), speed_then_code);
    // One of a kind: the caller's.
    assert_eq!(decided(task("chat"), both).0, "chat+speed_optimized");
    assert_eq!(decided(profile("balanced"), profile("cost_optimized")).0, "balanced");
    assert_eq!(decided(task("chat"), none).1.top_p, None);
}

#[test]
fn none_takes_the_routes_away() {
    let table = Table::default();
    let route = Choice { task: Some("code"), profile: Some("balanced") };
    assert_eq!(decided(profile("none"), route).0, "code");
    assert_eq!(decided(task("none"), route).0, "balanced");
    let neither = Choice { task: Some("none"), profile: Some("none") };
    assert_eq!(table.decide(neither, route, || 0), Ok(None));
    assert_eq!(table.decide(Choice::default(), Choice::default(), || 0), Ok(None));
}

#[test]
fn under_adaptive_the_task_says_what_kind_of_answer_is_wanted() {
    let table = Table::default();
    let decide = |caller, route| table.decide(caller, route, || 2_000).unwrap().unwrap();
    let both = Choice { task: Some("analysis"), profile: Some("adaptive") };
    let found = decide(both, Choice::default());
    assert_eq!(
        (found.name.as_str(), found.parameters),
        ("analysis+adaptive", parameters(0.1, 1_100, 0.85, 0.05))
    );
    assert_eq!(decide(task("code"), profile("adaptive")).parameters, parameters(0.2, 1_100, 0.92, 0.1));
    let alone = decide(profile("adaptive"), Choice::default());
    assert_eq!((alone.name.as_str(), alone.parameters), ("adaptive", parameters(0.6, 1_100, 0.92, 0.05)));
}

#[test]
fn an_operator_may_add_names_and_change_numbers() {
    let mut table = Table::default();
    table.set_profile("balanced", Parameters { max_tokens: Some(900), ..Parameters::NONE });
    assert_eq!(table.profile("balanced"), Some(parameters(0.5, 900, 0.92, 0.05)));
    table.set_task("support", Task { response: Some(Response::Factual), ..Task::default() });
    table.set_task("code", Task { response: Some(Response::Factual), ..Task::default() });
    assert_eq!(table.task("code").unwrap().parameters.max_tokens, Some(1_000), "what is left open is kept");
    let adapted =
        table.decide(Choice { task: Some("support"), profile: Some("adaptive") }, Choice::default(), || 50);
    // The changed `balanced` is what is adapted.
    assert_eq!(adapted.unwrap().unwrap().parameters, parameters(0.1, 300, 0.85, 0.05));
}

#[test]
fn an_unknown_name_is_an_error_even_where_it_would_change_nothing() {
    let table = Table::default();
    let decide = |caller, route| table.decide(caller, route, || 0);
    let unknown = Unknown::Task("coding".to_owned());
    assert_eq!(decide(task("coding"), Choice::default()), Err(unknown.clone()));
    assert_eq!(
        decide(Choice { task: Some("coding"), profile: Some("adaptive") }, Choice::default()),
        Err(unknown)
    );
    assert_eq!(decide(profile("speed"), task("code")), Err(Unknown::Profile("speed".to_owned())));
    // A task is no profile.
    assert!(decide(profile("code"), Choice::default()).is_err());
}
