//! Tasks and profiles in the file.

use policy::profile::{Response, Table};
use types::Parameters;

use crate::given::{load, refused};

const PROVIDERS: &str = "providers: { a: { kind: local, models: [x] } }\n";

fn loaded(more: &str) -> config::Config {
    load(&format!("{PROVIDERS}{more}")).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn without_a_word_the_seeds_are_there_and_no_route_uses_them() {
    let config = loaded("routes: { r: { models: [a/x] }, s: { models: [a/x], task: none, profile: none } }");
    assert_eq!(config.profiles, Table::default());
    for route in ["r", "s"] {
        let route = config.route(route).unwrap();
        assert_eq!((&route.task, &route.profile), (&None, &None));
    }
}

#[test]
fn the_operators_own_stand_beside_the_built_in_ones_and_over_them() {
    let config = loaded(
        "
routes:
  r: { models: [a/x], task: support, profile: terse }
  s: { models: [a/x], profile: adaptive }
tasks:
  support: { temperature: 0.2, response: factual }
  code: { max_tokens: 4000 }
profiles:
  terse: { max_tokens: 50, presence_penalty: -1.5 }
  balanced: { temperature: 1 }
",
    );
    let route = config.route("r").unwrap();
    assert_eq!((route.task.as_deref(), route.profile.as_deref()), (Some("support"), Some("terse")));
    assert_eq!(config.route("s").unwrap().profile.as_deref(), Some("adaptive"));
    let table = &config.profiles;
    let support = table.task("support").unwrap();
    assert_eq!((support.parameters.temperature, support.response), (Some(0.2), Some(Response::Factual)));
    let code = table.task("code").unwrap();
    let changed = Parameters { temperature: Some(0.1), max_tokens: Some(4_000), ..Parameters::NONE };
    assert_eq!((code.parameters, code.response), (changed, Some(Response::Code)));
    let terse = table.profile("terse").unwrap();
    assert_eq!((terse.max_tokens, terse.presence_penalty, terse.top_p), (Some(50), Some(-1.5), None));
    let balanced = table.profile("balanced").unwrap();
    assert_eq!((balanced.temperature, balanced.max_tokens), (Some(1.0), Some(600)));
}

#[test]
fn what_is_wrong_with_them_is_told_where_it_stands() {
    insta::assert_snapshot!(refused(&format!(
        "{PROVIDERS}
routes:
  r: {{ models: [a/x], task: codes, profile: xyz }}
  s: {{ models: [a/x], task: balanced }}
tasks: {{ none: {{}}, 'two words': {{}}, code: {{ temperature: 3, response: poem }} }}
profiles: {{ adaptive: {{}}, own: {{ max_tokens: 0, top_q: 1, response: code }} }}
"
    )));
}
