"""Drives a gateway whose providers are somebody else's simulators, with the official openai and anthropic
packages: every provider is asked in both dialects. See checks.py and openai_chat.py.

TARGETS   `provider/model …`: what to ask, each on its own; the provider is named as llmock names it
AIMOCK    where aimock is, with the fixtures of simulators.json: it fails by what it is told in the prompt
LLMOCK    where llmock is: it is told beforehand how to fail, and has the last word on how that was taken
"""

import json
import os
from functools import partial

import anthropic
import openai

from checks import BASE_URL, KEY, TIMEOUT
from checks import expect, fails_with, fetch, run_together

TARGETS = os.environ["TARGETS"].split()
AIMOCK = os.environ.get("AIMOCK")
LLMOCK = os.environ.get("LLMOCK")

QUESTION = "Name two colours."
WEATHER_QUESTION = "What is the weather in Oslo?"
WEATHER_RESULT = '{"sky":"clear","celsius":4}'
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Answer:
    """What both dialects say of an answer."""

    def __init__(self, text, complete, usage, calls, message):
        self.text, self.complete, self.usage, self.calls, self.message = text, complete, usage, calls, message


class OpenAI:
    """The official openai package. No retries: what the gateway leaves to its callers must show."""

    package = openai
    tool = {
        "type": "function",
        "function": {"name": "get_weather", "description": "The weather in a city, now.", "parameters": PARAMETERS},
    }

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=TIMEOUT)

    def ask(self, model, messages, stream=False, **more):
        chat = self.client.chat.completions
        request = {"model": model, "messages": messages, "max_tokens": 200} | more
        if not stream:
            answer = chat.create(**request)
        else:
            with chat.stream(**request, stream_options={"include_usage": True}) as events:
                for _ in events:
                    pass
                answer = events.get_final_completion()
        choice = answer.choices[0]
        calls = [
            (call.id, call.function.name, json.loads(call.function.arguments))
            for call in choice.message.tool_calls or []
        ]
        usage = answer.usage and (answer.usage.prompt_tokens, answer.usage.completion_tokens)
        complete = choice.finish_reason == ("tool_calls" if calls else "stop")
        message = choice.message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
        return Answer(choice.message.content, complete, usage, calls, message)

    def result(self, call):
        return {"role": "tool", "tool_call_id": call, "content": WEATHER_RESULT}


class Anthropic:
    """The official anthropic package."""

    package = anthropic
    tool = {"name": "get_weather", "description": "The weather in a city, now.", "input_schema": PARAMETERS}

    def __init__(self):
        self.client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=TIMEOUT)

    def ask(self, model, messages, stream=False, **more):
        request = {"model": model, "messages": messages, "max_tokens": 200} | more
        if not stream:
            answer = self.client.messages.create(**request)
        else:
            with self.client.messages.stream(**request) as events:
                answer = events.get_final_message()
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [(block.id, block.name, block.input) for block in answer.content if block.type == "tool_use"]
        usage = (answer.usage.input_tokens, answer.usage.output_tokens)
        complete = answer.stop_reason == ("tool_use" if calls else "end_turn")
        blocks = [block.model_dump(include={"type", "text", "id", "name", "input"}) for block in answer.content]
        return Answer(text, complete, usage, calls, {"role": "assistant", "content": blocks})

    def result(self, call):
        return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": WEATHER_RESULT}]}


def user(text, caller=None):
    """A question; those that fail are every caller's own, so that nobody's retry looks like another's."""
    return [{"role": "user", "content": f"{text} ({type(caller).__name__})" if caller else text}]


def script(model, **behaviour):
    """How llmock is to take the next request to a provider."""
    if LLMOCK:
        behaviour["match"] = {"provider": model.split("/")[0]}
        fetch(f"{LLMOCK}/_llmock/scenario", json.dumps({"behaviors": [behaviour]}).encode())


def expect_text(answer):
    expect(answer.text, "the answer has no text")
    expect(answer.complete, "the answer does not end as answers end")
    expect(answer.usage and min(answer.usage) > 0, f"usage is {answer.usage}")


def plain(caller, model):
    expect_text(caller.ask(model, user(QUESTION)))


def stream(caller, model):
    expect_text(caller.ask(model, user(QUESTION), stream=True))


def tools(caller, model, streamed=False):
    conversation = user(WEATHER_QUESTION)
    more = {"tools": [caller.tool], "stream": streamed}
    answer = caller.ask(model, conversation, **more)
    expect(len(answer.calls) == 1 and answer.complete, f"the calls are {answer.calls}")
    call, name, arguments = answer.calls[0]
    expect(call and name == "get_weather", f"the call is {answer.calls[0]}")
    expect(isinstance(arguments.get("city"), str), f"the arguments are {arguments}")
    expect_text(caller.ask(model, [*conversation, answer.message, caller.result(call)], **more))


def tools_stream(caller, model):
    tools(caller, model, streamed=True)


def refused_once(caller, model):
    """A 429 that says when to come back: the gateway waits, and the caller hears nothing of it."""
    script(model, type="fail", status=429, retry_after=1)
    expect_text(caller.ask(model, user("Refuse this once.", caller)))


def refused(caller, model):
    """A 429 that stays: the caller is told so, and when to come back."""
    script(model, type="fail", status=429, retry_after=1, times=2)
    error = fails_with(caller.package.RateLimitError, lambda: caller.ask(model, user("Refuse this.", caller)))
    expect(int(error.response.headers.get("retry-after", 0)) > 0, f"the headers are {dict(error.response.headers)}")


def wrong(caller, model):
    """What the provider finds wrong is the caller's to hear, at once and in the provider's words."""
    script(model, type="fail", status=400, message="this is wrong")
    error = fails_with(caller.package.BadRequestError, lambda: caller.ask(model, user("Find fault with this.", caller)))
    expect("this is wrong" in str(error), f"the error is {error}")


def cut(caller, model, kind="truncate"):
    """A stream without its end is never an answer: the caller hears of it, asks again, and has one."""
    script(model, type="reply", text="Red is a colour, and blue is another one, and green is the third of them.")
    script(model, type="stream_fault", kind=kind, after_chunks=6)
    ask = lambda: caller.ask(model, user(f"Break off. {kind}", caller), stream=True)  # noqa: E731
    try:
        answer = ask()
    except (caller.package.APIError, ConnectionError):
        pass
    else:
        raise AssertionError(f"half an answer was presented as a whole one: {answer.text!r}")
    expect_text(ask())


def disconnected(caller, model):
    cut(caller, model, "disconnect")


def garbled(caller, model):
    cut(caller, model, "malformed")


def verdict():
    """What llmock says of the gateway after all of it."""
    said = json.loads(fetch(f"{LLMOCK}/_llmock/verdict"))
    text = fetch(f"{LLMOCK}/_llmock/verdict?format=text")
    expect(said["faults_injected"] > 0, f"nothing failed: {text}")
    expect(said["passed"], text)
    print(text)


EVERYWHERE = [plain, stream, tools, tools_stream, refused_once, refused, wrong, cut]
checks = EVERYWHERE + [disconnected, garbled] if LLMOCK else EVERYWHERE
GROUPS = [
    {
        f"{target.split('/')[0]}_by_{type(caller).__name__.lower()}_{check.__name__}": partial(check, caller, target)
        for caller in (OpenAI(), Anthropic())
        for check in checks
    }
    for target in TARGETS
]
run_together(GROUPS, afterwards=[verdict] if LLMOCK else [])
