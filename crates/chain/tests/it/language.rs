//! Files and builders to chains, and what templates see.

use std::time::Duration;

use chain::{Backoff, Chain, InputKind, Limits, Retries, Settings, Spec, Step};
use serde_json::{Number, json};
use types::chat::{Format, Role};
use types::{Code, Priority};

use crate::given::{Run, chain, filled, text_of};

const EVERYTHING: &str = include_str!("chains/everything.yaml");
const SHORT: &str = include_str!("chains/short.yaml");

#[test]
fn the_builder_makes_the_same_chain_as_the_file() {
    let defaults = Settings {
        model: Some("local/smollm2".to_owned()),
        system: Some("You know {{ topic }}.".to_owned()),
        temperature: Number::from_f64(0.7),
        max_tokens: Some(400),
        timeout: Some(Duration::from_secs(30)),
        retries: Some(Retries {
            attempts: Some(3),
            backoff: Some(Backoff::Exponential),
            base: Some(Duration::from_millis(250)),
            max: Some(Duration::from_secs(8)),
        }),
        ..Settings::default()
    };
    let limits = Limits {
        cost: Some("0.50".parse().unwrap()),
        time: Some(Duration::from_secs(120)),
        concurrency: Some(4),
    };
    let applications = "Name the top {{ count }} practical applications of:\n{{ steps.summary }}\n";
    let schema = json!({ "type": "array", "items": { "type": "string" }, "maxItems": 3 });
    let built = Chain::builder("everything")
        .version("2.1")
        .description("All of it.")
        .typed_input("topic", InputKind::String)
        .input_or("count", InputKind::Integer, 3)
        .input("anything")
        .defaults(defaults)
        .limits(limits)
        .step(Step::prompt("summary", "Summarize {{ topic }} for a technical audience."))
        .step(
            Step::prompt("applications", applications)
                .model("demo/fast")
                .temperature(0.0)
                .top_p(0.9)
                .stop(["END"])
                .timeout(Duration::from_secs(90))
                .retries(Retries { attempts: Some(1), ..Retries::default() })
                .priority(Priority::High)
                .schema(schema),
        )
        .step(
            Step::prompt("verdict", "Which matters most? {{ steps.applications | join(', ') }}")
                .system("Be brief. {{ anything }}")
                .after(["summary"]),
        )
        .output("report", "{{ steps.verdict }}")
        .output("list", "{{ steps.applications }}")
        .output("both", "{{ steps.summary }} / {{ steps.verdict }}")
        .build()
        .unwrap();
    let mut read = Spec::clone(chain(EVERYTHING).spec());
    // The builder has no descriptions of inputs.
    read.inputs.iter_mut().flatten().for_each(|input| input.description = None);
    assert_eq!(read, **built.spec());
    let needs: Vec<&[usize]> = built.steps().iter().map(chain::PlannedStep::needs).collect();
    assert_eq!(needs, [&[] as &[usize], &[0], &[0, 1]]);
}

#[test]
fn the_short_form_is_a_chain_of_steps_each_after_the_one_before() {
    let read = chain(SHORT);
    let prompts: Vec<String> = read.spec().steps.iter().map(|step| step.prompt.clone()).collect();
    let mut built = Spec::clone(Chain::builder("short").prompts(prompts).build().unwrap().spec());
    built.defaults = read.spec().defaults.clone();
    built.limits = read.spec().limits.clone();
    built.switches = read.spec().switches.clone();
    assert_eq!(built, **read.spec());
    assert_eq!(read.steps()[2].name(), "step_3");
    assert_eq!(read.steps()[2].needs(), [1]);
    insta::assert_json_snapshot!((&read.spec().defaults, &read.spec().limits, &read.spec().switches));

    let mut run = Run::start(&read, json!({ "topic": "tides" }));
    assert_eq!(run.prompt("step_1"), "Summarize tides for a technical audience");
    run.answer("step_1", "Tides <are> \"water\".");
    assert_eq!(run.prompt("step_2"), "Identify the top 3 practical applications of Tides <are> \"water\".");
    run.answer("step_2", "two");
    run.answer("step_3", "three");
    assert_eq!(
        run.outputs(),
        json!({ "step_1": "Tides <are> \"water\".", "step_2": "two", "step_3": "three" })
    );
}

#[test]
fn a_chain_kept_with_a_run_is_the_same_chain() {
    for text in [EVERYTHING, SHORT] {
        let read = chain(text);
        let json = serde_json::to_string(&**read.spec()).unwrap();
        let kept = Chain::from_spec(serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(kept.spec(), read.spec());
    }
}

#[test]
fn a_step_asks_as_it_says_and_else_as_the_defaults_say() {
    let chain = chain(EVERYTHING);
    let mut run = Run::start(&chain, json!({ "topic": "tides", "anything": ["x"] }));
    let call = &run.open[0];
    assert_eq!((call.request.model.as_str(), call.request.max_tokens), ("local/smollm2", Some(400)));
    assert_eq!(text_of(call, Role::System), "You know tides.");
    assert_eq!(call.timeout, Some(Duration::from_secs(30)));
    run.answer("summary", "S");
    let call = &run.open[0];
    assert_eq!(call.request.model, "demo/fast");
    assert_eq!(call.request.temperature, Number::from_f64(0.0));
    assert_eq!(call.request.stop, ["END"]);
    assert!(matches!(&call.request.format, Format::Schema { name, .. } if name == "applications"));
    assert_eq!(text_of(call, Role::User), "Name the top 3 practical applications of:\nS");
    let retries = call.retries.unwrap();
    assert_eq!((retries.attempts, retries.base), (Some(1), Some(Duration::from_millis(250))));
    run.answer("applications", "```json\n[\"a\", \"b\"]\n```");
    assert_eq!(run.prompt("verdict"), "Which matters most? a, b");
    assert_eq!(text_of(&run.open[0], Role::System), "Be brief. [\"x\"]");
    run.answer("verdict", "V");
    assert_eq!(run.outputs(), json!({ "report": "V", "list": ["a", "b"], "both": "S / V" }));
}

#[test]
fn tasks_and_profiles_go_along_with_the_call_as_they_are_named() {
    let text = "
defaults: { task: analysis, profile: adaptive }
steps:
  one: one
  two: { prompt: two, task: code, profile: none }
";
    let chain = chain(text);
    let run = Run::start(&chain, json!({}));
    let named: Vec<_> = run
        .open
        .iter()
        .map(|call| (call.task.as_deref().unwrap(), call.profile.as_deref().unwrap()))
        .collect();
    assert_eq!(named, [("analysis", "adaptive"), ("code", "none")]);
    // What they set is not the chain's business.
    assert!(
        run.open.iter().all(|call| call.request.temperature.is_none() && call.request.max_tokens.is_none())
    );
}

#[test]
fn templates_see_inputs_steps_and_outputs() {
    let text = "
steps:
  one: one
  dash-ed: two
  three:
    prompt: >-
      {{ output[0] }} {{ output[-1] }} {{ output | length }} {{ output | join('+') }} {{ output[-2:] | last }}
      {{ steps['dash-ed'] }} {{ inputs.x }} {% for o in output %}{{ loop.index }}{{ o }};{% endfor %}
  four: '{% set a = steps.one %}{{ a }}{{ missing | default(\"-\") }}{% if nope is defined %}!{% endif %}{{ x.y[1].z }}'
";
    let chain = chain(text);
    assert_eq!(chain.steps()[2].needs(), [0, 1]);
    assert_eq!(chain.steps()[3].needs(), [0]);
    let asked: Vec<_> = chain.inputs().map(|input| (input.name.as_str(), input.required)).collect();
    assert_eq!(asked, [("x", true), ("missing", false), ("nope", false)]);
    let mut run = Run::start(&chain, json!({ "x": { "y": [0, { "z": "Z" }] } }));
    run.answer("one", "1");
    assert_eq!(run.prompt("four"), "1-Z");
    run.answer("dash-ed", "2");
    assert_eq!(run.prompt("three"), r#"1 2 2 1+2 2 2 {"y":[0,{"z":"Z"}]} 11;22;"#);
}

#[test]
fn values_are_written_as_a_prompt_wants_them() {
    for (template, vars, expected) in [
        ("{{ x }}", json!({ "x": "<a> & 'b'" }), "<a> & 'b'"),
        ("{{ x }}", json!({ "x": { "b": 1, "a": ["<", null, 1.5] } }), r#"{"b":1,"a":["<",null,1.5]}"#),
        ("{{ x | json }}", json!({ "x": "q\"<" }), r#""q\"<""#),
        ("{{ x | json(true) }}", json!({ "x": [1] }), "[\n  1\n]"),
        ("{{ x }} {{ y }} {{ z }}", json!({ "x": null, "y": true, "z": 1.0 }), "None True 1.0"),
        ("{{ x | join('\\n- ') }}", json!({ "x": ["a", { "k": 1 }] }), "a\n- {\"k\":1}"),
        ("{{ x | indent(2) }}", json!({ "x": "a\nb\n\nc" }), "a\n  b\n\n  c"),
        ("{{ x | truncate(3) }}", json!({ "x": "héllo" }), "hél…"),
        ("{{ x | replace('a', 'bb') | upper }}", json!({ "x": "aXa" }), "BBXBB"),
        ("{{ x | map(attribute='n') | join(',') }}", json!({ "x": [{ "n": 1 }, { "n": 2 }] }), "1,2"),
        ("{% for i in range(3) %}{% set n = i + 1 %}{{ n }}{% endfor %}", json!({}), "123"),
        ("{% raw %}{{ not }}{% endraw %}{# gone #}", json!({}), "{{ not }}"),
        ("{{ a ~ '-' ~ b if a else b }}", json!({ "a": "x", "b": "y" }), "x-y"),
    ] {
        assert_eq!(filled(template, vars).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn missing_variables_are_told_with_their_lines_before_anything_is_sent() {
    let text = "\
name: t
steps:
  a:
    prompt: |
      About {{ topic }}
      in {{ language }}
  b: '{{ topic }} {{ steps.a }} {{ tone }}'
";
    let chain = chain(text);
    let fault = chain.check_inputs(json!({ "tone": "dry" }).as_object().unwrap()).unwrap_err();
    assert_eq!(fault.code, Code::MissingVariable);
    assert_eq!(fault.message, "the variables `topic` (test.yaml:5), `language` (test.yaml:6) are missing");
    let fault =
        chain.check_inputs(json!({ "topic": 1, "language": 2, "tone": 3, "tome": 4 }).as_object().unwrap());
    assert_eq!(
        fault.unwrap_err().to_string(),
        "WL1004: the chain has no variable `tome` (did you mean `tone`?)"
    );
}

#[test]
fn variables_from_a_command_line_become_what_the_chain_asks_for() {
    let text = "
inputs: { n: integer, b: boolean, l: array, o: object, s: string, f: { type: number, required: false }, x: any }
steps: { a: '{{ n }} {{ b }} {{ l }} {{ o }} {{ s }} {{ x }}' }
";
    let chain = chain(text);
    let vars = json!({ "n": "3", "b": "true", "l": "[1]", "o": "{\"k\":2}", "s": "5", "x": "6" });
    assert_eq!(Run::start(&chain, vars).prompt("a"), r#"3 True [1] {"k":2} 5 6"#);
    let fault = chain.check_inputs(
        json!({ "n": "3.5", "b": true, "l": [], "o": {}, "s": "", "x": 1 }).as_object().unwrap(),
    );
    assert_eq!(fault.unwrap_err().to_string(), "WL1004: the variable `n` must be of type integer");
}

#[test]
fn a_variable_is_optional_only_where_every_use_of_it_is_careful() {
    for (templates, required) in [
        (["{{ x }}", ""], true),
        (["{{ x | default('-') }}", "{% if x %}{{ x }}{% endif %}"], false),
        (["{% if x is defined and y %}{{ x }}{% else %}none{% endif %}", "{{ x if x else '-' }}"], false),
        (["{% if x %}{{ x }}{% endif %}{{ x }}", ""], true),
        (["{% if x %}{{ x }}{% endif %}", "{{ x }}"], true),
        (["{{ inputs.x | d('-') }}", "{% if not inputs.x %}-{% endif %}"], false),
        (["{% for i in x | default([]) %}{{ i }}{% endfor %}", "{{ [x, 1] }}"], true),
    ] {
        let text =
            json!({ "steps": { "a": format!("-{}", templates[0]), "b": format!("-{}", templates[1]) } });
        let chain = chain(&text.to_string());
        let x = chain.inputs().find(|input| input.name == "x").unwrap();
        assert_eq!(x.required, required, "{templates:?}");
    }
}
