//! Chain files: any text gives a chain or a report. What is accepted survives being kept with a run, and
//! runs to its end, whatever its models answer, asking for each step once.

#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;

use chain::{Chain, Command, Event, Machine, Source, StepResult};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use types::Moment;

fuzz_target!(|input: &str| {
    // The first line is what every model answers.
    let (answer, text) = input.split_once('\n').unwrap_or(("", input));
    let chain = match chain::parse(&Source { name: "fuzz.yaml", text }) {
        Ok(chain) => chain,
        Err(report) => {
            assert!(report.first().is_some(), "a report says at least one thing");
            drop(report.to_string());
            return;
        }
    };
    let kept = serde_json::to_string(chain.spec().as_ref()).unwrap();
    let again =
        Chain::from_spec(serde_json::from_str(&kept).unwrap()).expect("what was accepted is accepted again");
    assert_eq!(again.spec(), chain.spec());

    let vars: Map<String, Value> =
        chain.inputs().map(|input| (input.name.clone(), Value::from(answer))).collect();
    if let Ok(inputs) = chain.check_inputs(&vars) {
        run(Arc::new(chain), &inputs, answer);
    }
});

fn run(chain: Arc<Chain>, inputs: &chain::Inputs, answer: &str) {
    let mut machine = Machine::new(Arc::clone(&chain), inputs);
    let mut events = VecDeque::from([Event::Started { inputs: inputs.clone() }]);
    let mut asked = vec![0; chain.steps().len()];
    let mut finishes = 0;
    while let Some(event) = events.pop_front() {
        for command in machine.next(&event, Moment::from_nanos(0)) {
            match command {
                Command::Call(call) => {
                    asked[call.step] += 1;
                    events.push_back(Event::StepStarted { step: call.step, call: None });
                    events.push_back(match chain.read_answer(call.step, answer) {
                        Ok(value) => {
                            let result =
                                StepResult { text: answer.to_owned(), value, ..StepResult::default() };
                            Event::StepFinished { step: call.step, result: Arc::new(result) }
                        }
                        Err(fault) => {
                            Event::StepFailed { step: call.step, fault, spent: chain::Spent::default() }
                        }
                    });
                }
                Command::Finish(_) => finishes += 1,
            }
        }
    }
    assert!(machine.is_over() && finishes == 1, "the run ended {finishes} times");
    assert!(asked.iter().all(|times| *times <= 1), "a step was asked for twice: {asked:?}");
}
