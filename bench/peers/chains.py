"""The chain engines of LangChain and LangGraph on a model that answers at once.

Prints one JSON object: versions, and per case the wall and CPU time of one step in microseconds. A step is
one call of the model with its prompt rendered and its answer taken out. Each case is written the way its
documentation writes it, and once more bare: plain functions as steps, no prompt template, no model class, no
parser, which is the least that the engine can cost. Where an engine offers a threaded and an async way, the
quicker one of the two counts.

Those named `langgraph_sqlite` keep what happened: LangGraph's own SQLite checkpointer, a file on disk, each run a
thread of its own, everything as it comes. As it comes Python's SQLite waits for the disk with each transaction
(`synchronous = FULL`); `langgraph_sqlite_normal` does not (`NORMAL`), as Windlass does not.
"""

import asyncio
import gc
import importlib.metadata
import itertools
import json
import operator
import os
import sys
import tempfile
import time
from typing import Annotated, TypedDict

os.environ["LANGSMITH_TRACING"] = "false"
os.environ["LANGCHAIN_TRACING_V2"] = "false"

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

ANSWER = "Tidal power turns the sea's regular movement into electricity with turbines in barrages and streams."
INPUT = {"topic": "tidal power"}
SEQUENCE = [
    "Summarize {topic} for a technical audience.",
    "Name the top 3 practical applications of: {last}",
    "Which of these matters most, and why? {last}",
]
PARALLEL = ["Summarize {topic} for audience %d." % n for n in range(1, 9)]


class InstantModel(BaseChatModel):
    """Answers the same text without waiting."""

    @property
    def _llm_type(self):
        return "instant"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=ANSWER))])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return self._generate(messages)


MODEL = InstantModel()


class State(TypedDict, total=False):
    topic: str
    last: str
    parts: Annotated[list, operator.add]


def prompted(template):
    return ChatPromptTemplate.from_template(template) | MODEL | StrOutputParser()


def answer(_):
    return ANSWER


async def aanswer(_):
    return ANSWER


def langchain_sequence():
    # A template of one variable takes a bare text as its input.
    first, second, third = (prompted(template) for template in SEQUENCE)
    return first | second | third


def langchain_sequence_bare():
    step = RunnableLambda(answer, aanswer)
    return step | step | step


def langchain_parallel():
    return RunnableParallel({"s%d" % n: prompted(template) for n, template in enumerate(PARALLEL)})


def langchain_parallel_bare():
    return RunnableParallel({"s%d" % n: RunnableLambda(answer, aanswer) for n in range(len(PARALLEL))})


def threaded(runnable):
    """Calls it so many times in a row, from this thread; what it gave last."""

    def call(runs):
        for _ in range(runs):
            got = runnable.invoke(INPUT)
        return got

    return call


def in_loop(runnable):
    """Calls it so many times in a row, in an event loop; what it gave last."""

    async def calls(runs):
        for _ in range(runs):
            got = await runnable.ainvoke(INPUT)
        return got

    return lambda runs: asyncio.run(calls(runs))


def both(runnable):
    """One that can be called either way."""
    return threaded(runnable), in_loop(runnable)


def graph(templates, bare, parallel):
    """A graph with one node a template: in a row, or all from the start to the end. Twice, since a graph is
    either of functions or of coroutines."""
    return (
        threaded(one_graph(templates, bare, parallel, False).compile()),
        in_loop(one_graph(templates, bare, parallel, True).compile()),
    )


NUMBERS = itertools.count()


def a_run():
    """The name of a new run: LangGraph keeps what happened by it."""
    return {"configurable": {"thread_id": "run-%d" % next(NUMBERS)}}


def kept_graph(templates, bare, parallel, synchronous=None):
    """The same graph with LangGraph's SQLite checkpointer on a fresh file on disk."""
    pragma = synchronous and "PRAGMA synchronous = %s" % synchronous

    def file():
        return os.path.join(tempfile.mkdtemp(dir=FOLDER), "checkpoints.sqlite")

    def in_threads(runs):
        with SqliteSaver.from_conn_string(file()) as saver:
            if pragma:
                saver.conn.execute(pragma)
            runnable = one_graph(templates, bare, parallel, False).compile(checkpointer=saver)
            for _ in range(runs):
                got = runnable.invoke(INPUT, a_run())
            return got

    async def calls(runs):
        async with AsyncSqliteSaver.from_conn_string(file()) as saver:
            if pragma:
                await saver.conn.execute(pragma)
            runnable = one_graph(templates, bare, parallel, True).compile(checkpointer=saver)
            for _ in range(runs):
                got = await runnable.ainvoke(INPUT, a_run())
            return got

    return in_threads, lambda runs: asyncio.run(calls(runs))


def one_graph(templates, bare, parallel, in_loop):
    built = StateGraph(State)
    key = "parts" if parallel else "last"

    def update(text):
        return {key: [text] if parallel else text}

    def node(template):
        def bare_step(state):
            return update(ANSWER)

        async def abare_step(state):
            return update(ANSWER)

        def step(state):
            return update(MODEL.invoke(template.format(**state)).content)

        async def astep(state):
            return update((await MODEL.ainvoke(template.format(**state))).content)

        if bare:
            return abare_step if in_loop else bare_step
        return astep if in_loop else step

    before = START
    for number, template in enumerate(templates):
        name = "s%d" % number
        built.add_node(name, node(template))
        built.add_edge(before, name)
        if parallel:
            built.add_edge(name, END)
        else:
            before = name
    if not parallel:
        built.add_edge(before, END)
    return built


def timed(run):
    """Wall and CPU seconds of `run`."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(calls, steps, seconds):
    """Wall and CPU microseconds per step, of the quicker way to call it."""
    best = None
    for call in calls:
        call(20)
        wall, _ = timed(lambda: call(20))
        runs = max(20, min(5000, int(20 * seconds / wall)))
        wall, cpu = (t * 1e6 / (runs * steps) for t in timed(lambda: call(runs)))
        if best is None or wall < best[0]:
            best = (wall, cpu)
    return {"wall_us_per_step": best[0], "cpu_us_per_step": best[1]}


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    named = {"s%d" % n: ANSWER for n in range(8)}
    listed = [ANSWER] * 8
    cases = {
        "langchain.sequence3": (both(langchain_sequence()), 3, ANSWER),
        "langchain.parallel8": (both(langchain_parallel()), 8, named),
        "langgraph.sequence3": (graph(SEQUENCE, False, False), 3, ANSWER),
        "langgraph.parallel8": (graph(PARALLEL, False, True), 8, listed),
        "langchain_bare.sequence3": (both(langchain_sequence_bare()), 3, ANSWER),
        "langchain_bare.parallel8": (both(langchain_parallel_bare()), 8, named),
        "langgraph_bare.sequence3": (graph(SEQUENCE, True, False), 3, ANSWER),
        "langgraph_bare.parallel8": (graph(PARALLEL, True, True), 8, listed),
        "langgraph_sqlite.sequence3": (kept_graph(SEQUENCE, False, False), 3, ANSWER),
        "langgraph_sqlite.parallel8": (kept_graph(PARALLEL, False, True), 8, listed),
        "langgraph_sqlite_normal.sequence3": (kept_graph(SEQUENCE, False, False, "NORMAL"), 3, ANSWER),
        "langgraph_sqlite_normal.parallel8": (kept_graph(PARALLEL, False, True, "NORMAL"), 8, listed),
        "langgraph_sqlite_bare.sequence3": (kept_graph(SEQUENCE, True, False), 3, ANSWER),
        "langgraph_sqlite_bare.parallel8": (kept_graph(PARALLEL, True, True), 8, listed),
    }
    for name, (calls, _, wanted) in cases.items():
        for call in calls:
            got = call(1)
            if name.startswith("langgraph"):
                got = got["parts"] or got["last"]
            assert got == wanted, (name, got)
    packages = ("langchain-core", "langgraph", "langgraph-checkpoint-sqlite")
    print(
        json.dumps(
            {
                "versions": {name: importlib.metadata.version(name) for name in packages},
                "cases": {name: measure(*run, seconds) for name, (*run, _) in cases.items()},
            }
        )
    )


with tempfile.TemporaryDirectory() as FOLDER:
    main()
