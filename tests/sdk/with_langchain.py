"""Drives a gateway with LangChain's package for OpenAI, unmodified. See checks.py and openai_chat.py.

MODEL must be able to fill a JSON schema: the real small model behind a llama.cpp server is.
"""

import openai
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from checks import BASE_URL, EMBED_MODEL, KEY, MAX_TOKENS, MODEL, TIMEOUT, TOOL_MODEL
from checks import expect, fails_with, need, run

MESSAGES = [SystemMessage("You are brief."), HumanMessage("Name two colours.")]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f'{{"city":"{city}","sky":"clear","celsius":4}}'


def model(name=MODEL, **more):
    settings = {"max_tokens": MAX_TOKENS, "max_retries": 0, "timeout": TIMEOUT, "temperature": 0} | more
    return ChatOpenAI(model=name, base_url=f"{BASE_URL}/v1", api_key=KEY, **settings)


def expect_usage(usage):
    expect(usage, "the answer has no usage")
    expect(usage["input_tokens"] > 0, f"input_tokens is {usage['input_tokens']}")
    expect(usage["output_tokens"] > 0, f"output_tokens is {usage['output_tokens']}")


def chat():
    answer = model().invoke(MESSAGES)
    expect(answer.content, "the answer has no text")
    reason = answer.response_metadata.get("finish_reason")
    expect(reason in ("stop", "length"), f"finish_reason is {reason!r}")
    expect_usage(answer.usage_metadata)


def gather(chunks):
    whole, count = None, 0
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
        count += 1
    expect(whole is not None, "the stream is empty")
    return whole, count


def stream():
    whole, count = gather(model(stream_usage=True).stream(MESSAGES))
    expect(whole.content and count > 2, f"{count} chunks with the text {whole.content!r}")
    reason = whole.response_metadata.get("finish_reason")
    expect(reason in ("stop", "length"), f"finish_reason is {reason!r}")
    expect_usage(whole.usage_metadata)


def tools():
    asked = model(need(TOOL_MODEL, "TOOL_MODEL"), max_tokens=200).bind_tools([get_weather])
    conversation = [HumanMessage("What is the weather in Oslo?")]
    answer = asked.invoke(conversation)
    expect(len(answer.tool_calls) == 1, f"the calls are {answer.tool_calls}, invalid {answer.invalid_tool_calls}")
    result = get_weather.invoke(answer.tool_calls[0])
    expect(isinstance(result, ToolMessage), f"the tool's result is {result!r}")
    final = asked.invoke([*conversation, answer, result])
    expect(final.content and not final.tool_calls, f"after the tool's result came {final!r}")


def tools_stream():
    asked = model(need(TOOL_MODEL, "TOOL_MODEL"), max_tokens=200).bind_tools([get_weather])
    whole, _ = gather(asked.stream([HumanMessage("What is the weather in Oslo?")]))
    calls = whole.tool_calls
    expect(len(calls) == 1 and calls[0]["name"] == "get_weather" and calls[0]["id"], f"the calls are {calls}")
    expect(isinstance(calls[0]["args"].get("city"), str), f"the arguments are {calls[0]['args']}")


def structured():
    asked = model(max_tokens=100).with_structured_output(Person, method="json_schema")
    person = asked.invoke("Anna is 31 years old. Who is it?")
    expect(isinstance(person, Person) and person.name, f"the person is {person!r}")


def embeddings():
    # Its own counting of tokens would fetch a vocabulary.
    embedder = OpenAIEmbeddings(
        model=need(EMBED_MODEL, "EMBED_MODEL"),
        base_url=f"{BASE_URL}/v1",
        api_key=KEY,
        max_retries=0,
        check_embedding_ctx_length=False,
    )
    vectors = embedder.embed_documents(["one", "two"])
    expect(len(vectors) == 2 and vectors[0] and vectors[0] != vectors[1], "the embeddings are not two vectors")


def unknown_model():
    error = fails_with(openai.NotFoundError, lambda: model("no-such-model").invoke(MESSAGES))
    expect(error.body.get("message"), f"the error is {error.body!r}")


run([chat, stream, tools, tools_stream, structured, embeddings, unknown_model])
