// Drives a gateway with the official openai package for Node, unmodified. See openai_chat.py, beside this
// file, for the environment and the output.

import { BAD_KEY, BASE_URL, EMBED_MODEL, KEY, MAX_TOKENS, MODEL, TOOL_MODEL } from './checks.mjs'
import { expect, failsWith, load, need, run } from './checks.mjs'

const { default: OpenAI } = await load('openai')

const messages = [
  { role: 'system', content: 'You are brief.' },
  { role: 'user', content: 'Name two colours.' },
]
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city, now.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const weatherQuestion = [{ role: 'user', content: 'What is the weather in Oslo?' }]

// No retries: a failure that the gateway caused must show.
const client = (apiKey = KEY) => new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey, maxRetries: 0, timeout: 120_000 })
const ask = (more) => client().chat.completions.create({ model: MODEL, messages, max_tokens: MAX_TOKENS, ...more })

function expectUsage(usage) {
  expect(usage, 'the answer has no usage')
  expect(usage.prompt_tokens > 0, `prompt_tokens is ${usage.prompt_tokens}`)
  expect(usage.completion_tokens > 0, `completion_tokens is ${usage.completion_tokens}`)
  const total = usage.prompt_tokens + usage.completion_tokens
  expect(usage.total_tokens === total, `total_tokens is ${usage.total_tokens}, not ${total}`)
}

async function readStream(stream) {
  const read = { text: '', reasons: [], usages: [] }
  for await (const chunk of stream) {
    if (chunk.usage) read.usages.push(chunk.usage)
    for (const choice of chunk.choices) {
      read.text += choice.delta.content ?? ''
      if (choice.finish_reason) read.reasons.push(choice.finish_reason)
    }
  }
  return read
}

function expectToolCall({ name, arguments: text }) {
  expect(name === 'get_weather', `the tool called is ${name}`)
  const parsed = JSON.parse(text)
  expect(parsed !== null && typeof parsed === 'object', `the arguments are not a JSON object: ${text}`)
}

await run({
  async chat() {
    const answer = await ask()
    expect(answer.object === 'chat.completion', `object is ${answer.object}`)
    expect(answer.choices.length === 1, `${answer.choices.length} choices`)
    const [choice] = answer.choices
    expect(choice.message.content, 'the answer has no text')
    expect(['stop', 'length'].includes(choice.finish_reason), `finish_reason is ${choice.finish_reason}`)
    expectUsage(answer.usage)
  },

  async chat_stream() {
    const { text, reasons, usages } = await readStream(await ask({ stream: true }))
    expect(text, 'the stream has no text')
    expect(reasons.length === 1, `finish reasons are ${reasons}`)
    expect(usages.length === 0, 'usage came though nobody asked for it')
  },

  async chat_stream_with_usage() {
    const stream = await ask({ stream: true, stream_options: { include_usage: true } })
    const { text, usages } = await readStream(stream)
    expect(text, 'the stream has no text')
    expect(usages.length === 1, `${usages.length} usages in one stream`)
    expectUsage(usages[0])
  },

  async hang_up() {
    const stream = await ask({ stream: true, max_tokens: 2000 })
    let heard = false
    for await (const chunk of stream) {
      heard = Boolean(chunk.choices[0]?.delta.content)
      if (heard) break
    }
    stream.controller.abort()
    expect(heard, 'the stream ended before its first text')
    const answer = await ask({ max_tokens: 4 })
    expect(answer.choices[0].message.content !== null, 'the call after a hang-up has no answer')
  },

  async tools() {
    need('TOOL_MODEL')
    const question = { model: TOOL_MODEL, tools: [weather] }
    const answer = await client().chat.completions.create({ ...question, messages: weatherQuestion })
    const [choice] = answer.choices
    expect(choice.finish_reason === 'tool_calls', `finish_reason is ${choice.finish_reason}`)
    const calls = choice.message.tool_calls ?? []
    expect(calls.length === 1 && calls[0].id, `the calls are ${JSON.stringify(calls)}`)
    expectToolCall(calls[0].function)
    const result = { role: 'tool', tool_call_id: calls[0].id, content: '{"sky":"clear","celsius":4}' }
    const conversation = [...weatherQuestion, choice.message, result]
    const final = await client().chat.completions.create({ ...question, messages: conversation })
    expect(final.choices[0].message.content, "no text after the tool's result")
  },

  async tools_stream() {
    need('TOOL_MODEL')
    const stream = client().chat.completions.stream({ model: TOOL_MODEL, tools: [weather], messages: weatherQuestion })
    const { choices } = await stream.finalChatCompletion()
    expect(choices[0].finish_reason === 'tool_calls', `finish_reason is ${choices[0].finish_reason}`)
    const calls = choices[0].message.tool_calls ?? []
    expect(calls.length === 1 && calls[0].id, `the calls are ${JSON.stringify(calls)}`)
    expectToolCall(calls[0].function)
  },

  async models() {
    const names = []
    for await (const model of client().models.list()) names.push(model.id)
    expect(names.includes(MODEL), `${MODEL} is not among ${names}`)
  },

  async embeddings() {
    need('EMBED_MODEL')
    // This package asks for base64 unless told otherwise, and decodes it: both forms must arrive as numbers.
    for (const encoding_format of [undefined, 'float']) {
      const request = { model: EMBED_MODEL, input: ['one', 'two'], encoding_format }
      const { data } = await client().embeddings.create(request)
      expect(data.length === 2, `${data.length} embeddings for two texts`)
      const { embedding } = data[0]
      expect(embedding.length > 0 && embedding.every(Number.isFinite), 'the embedding is not a list of numbers')
    }
  },

  async unknown_model() {
    const error = await failsWith(OpenAI.NotFoundError, () => ask({ model: 'no-such-model' }))
    expect(error.error?.message && error.error?.type, `the error is ${JSON.stringify(error.error)}`)
  },

  async wrong_key() {
    need('BAD_KEY')
    const act = () => client(BAD_KEY).chat.completions.create({ model: MODEL, messages })
    const error = await failsWith(OpenAI.AuthenticationError, act)
    expect(!error.message.includes(BAD_KEY), 'the error repeats the key')
  },

  async bad_field() {
    await failsWith(OpenAI.BadRequestError, () => ask({ messages: 'not a list' }))
  },
})
