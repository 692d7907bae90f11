// Drives a gateway with the official @anthropic-ai/sdk package for Node, unmodified. See openai_chat.py,
// beside this file, for the environment and the output.

import { BAD_KEY, BASE_URL, KEY, MAX_TOKENS, MODEL, TOOL_MODEL } from './checks.mjs'
import { expect, failsWith, load, need, run } from './checks.mjs'

const { default: Anthropic } = await load('@anthropic-ai/sdk')

const messages = [{ role: 'user', content: 'Name two colours.' }]
const weather = {
  name: 'get_weather',
  description: 'The weather in a city, now.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
const weatherQuestion = [{ role: 'user', content: 'What is the weather in Oslo?' }]

// No retries: a failure that the gateway caused must show.
const client = (apiKey = KEY) => new Anthropic({ baseURL: BASE_URL, apiKey, maxRetries: 0, timeout: 120_000 })
const request = (more) => ({ model: MODEL, system: 'You are brief.', messages, max_tokens: MAX_TOKENS, ...more })
const ask = (more) => client().messages.create(request(more))

function expectMessage(message, reasons) {
  expect(message.type === 'message' && message.id, `the message is ${JSON.stringify(message)}`)
  expect(message.role === 'assistant', `role is ${message.role}`)
  expect(reasons.includes(message.stop_reason), `stop_reason is ${message.stop_reason}`)
  expect(message.usage.input_tokens > 0, `input_tokens is ${message.usage.input_tokens}`)
  expect(message.usage.output_tokens > 0, `output_tokens is ${message.usage.output_tokens}`)
}

function textOf({ content }) {
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

function expectToolUse(message) {
  expectMessage(message, ['tool_use'])
  const uses = message.content.filter((block) => block.type === 'tool_use')
  expect(uses.length === 1 && uses[0].id, `the tool uses are ${JSON.stringify(uses)}`)
  expect(uses[0].name === 'get_weather', `the tool called is ${uses[0].name}`)
  expect(uses[0].input !== null && typeof uses[0].input === 'object', `the input is ${uses[0].input}`)
  return uses[0]
}

await run({
  async messages() {
    const message = await ask()
    expectMessage(message, ['end_turn', 'max_tokens'])
    expect(textOf(message), 'the message has no text')
  },

  async messages_stream() {
    const order = []
    for await (const event of await ask({ stream: true })) {
      if (event.type !== 'ping' && order.at(-1) !== event.type) order.push(event.type)
    }
    expect(order[0] === 'message_start', `the first event is ${order[0]}`)
    expect(order.slice(-2).join() === 'message_delta,message_stop', `the last events are ${order.slice(-2)}`)
  },

  async messages_stream_helper() {
    let text = ''
    const stream = client().messages.stream(request())
    stream.on('text', (piece) => (text += piece))
    const message = await stream.finalMessage()
    expectMessage(message, ['end_turn', 'max_tokens'])
    expect(text && text === textOf(message), 'the pieces are not the whole')
  },

  async hang_up() {
    const stream = await ask({ stream: true, max_tokens: 2000 })
    let heard = false
    for await (const event of stream) {
      heard = event.type === 'content_block_delta'
      if (heard) break
    }
    stream.controller.abort()
    expect(heard, 'the stream ended before its first text')
    const message = await ask({ max_tokens: 4 })
    expect(message.type === 'message', 'the call after a hang-up has no answer')
  },

  async tools() {
    need('TOOL_MODEL')
    const question = { model: TOOL_MODEL, max_tokens: 100, tools: [weather] }
    const message = await client().messages.create({ ...question, messages: weatherQuestion })
    const use = expectToolUse(message)
    const result = { type: 'tool_result', tool_use_id: use.id, content: '{"sky":"clear","celsius":4}' }
    const conversation = [
      ...weatherQuestion,
      { role: 'assistant', content: message.content },
      { role: 'user', content: [result] },
    ]
    const final = await client().messages.create({ ...question, messages: conversation })
    expect(textOf(final), "no text after the tool's result")
  },

  async tools_stream() {
    need('TOOL_MODEL')
    const question = { model: TOOL_MODEL, max_tokens: 100, tools: [weather], messages: weatherQuestion }
    expectToolUse(await client().messages.stream(question).finalMessage())
  },

  async unknown_model() {
    const error = await failsWith(Anthropic.NotFoundError, () => ask({ model: 'no-such-model' }))
    const inner = error.error?.error
    expect(inner?.message && inner?.type === 'not_found_error', `the error is ${JSON.stringify(error.error)}`)
  },

  async wrong_key() {
    need('BAD_KEY')
    const act = () => client(BAD_KEY).messages.create(request())
    const error = await failsWith(Anthropic.AuthenticationError, act)
    expect(!error.message.includes(BAD_KEY), 'the error repeats the key')
  },

  async bad_field() {
    await failsWith(Anthropic.BadRequestError, () => ask({ messages: 'not a list' }))
  },
})
