// Drives a gateway's Responses API with the official openai package for Node, unmodified. See openai_chat.py,
// beside this file, for the environment and the output. MODEL must be able to fill a JSON schema.

import { BASE_URL, KEY, MAX_TOKENS, MODEL, TOOL_MODEL } from './checks.mjs'
import { expect, failsWith, load, need, run } from './checks.mjs'

const { default: OpenAI } = await load('openai')

const question = { instructions: 'You are brief.', input: 'Name two colours.' }
const weatherQuestion = 'What is the weather in Oslo?'
const closed = (properties) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather in a city, now.',
  parameters: closed({ city: { type: 'string' } }),
  strict: true,
}
const person = closed({ name: { type: 'string' }, age: { type: 'integer' } })

// No retries: a failure that the gateway caused must show.
const client = () => new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: KEY, maxRetries: 0, timeout: 50_000 })
const ask = (more) =>
  client().responses.create({ model: MODEL, max_output_tokens: MAX_TOKENS, temperature: 0, ...more })

function expectAnswer(response) {
  expect(response.object === 'response' && response.id, `the response is ${JSON.stringify(response)}`)
  const reason = response.incomplete_details?.reason
  const ended = response.status === 'completed' || reason === 'max_output_tokens'
  expect(ended, `status is ${response.status}, because of ${reason}`)
  expect(response.usage.input_tokens > 0, `input_tokens is ${response.usage.input_tokens}`)
  expect(response.usage.output_tokens > 0, `output_tokens is ${response.usage.output_tokens}`)
}

function callOf(response) {
  expect(response.status === 'completed', `status is ${response.status}`)
  const calls = response.output.filter((item) => item.type === 'function_call')
  expect(calls.length === 1 && calls[0].call_id, `the calls are ${JSON.stringify(calls)}`)
  expect(calls[0].name === 'get_weather', `the tool called is ${calls[0].name}`)
  expect(typeof JSON.parse(calls[0].arguments).city === 'string', `the arguments are ${calls[0].arguments}`)
  return calls[0]
}

const resultOf = ({ call_id }) => ({ type: 'function_call_output', call_id, output: '{"sky":"clear","celsius":4}' })

await run({
  async create() {
    const response = await ask(question)
    expectAnswer(response)
    expect(response.output_text, 'the response has no text')
  },

  async stream() {
    const kinds = []
    let text = ''
    let last
    for await (const event of await ask({ ...question, stream: true })) {
      if (kinds.at(-1) !== event.type) kinds.push(event.type)
      if (event.type === 'response.output_text.delta') text += event.delta
      last = event
    }
    expect(kinds[0] === 'response.created', `the first event is ${kinds[0]}`)
    expect(['response.completed', 'response.incomplete'].includes(last.type), `the last event is ${last.type}`)
    expectAnswer(last.response)
    const message = last.response.output.find((item) => item.type === 'message')
    expect(text && text === message.content[0].text, 'the pieces are not the whole')
  },

  async stream_helper() {
    let text = ''
    const stream = client().responses.stream({ model: MODEL, max_output_tokens: 100, temperature: 0, ...question })
    stream.on('response.output_text.delta', ({ delta }) => (text += delta))
    const response = await stream.finalResponse()
    expectAnswer(response)
    expect(text && text === response.output_text, 'the pieces are not the whole')
  },

  async tools() {
    need('TOOL_MODEL')
    const more = { model: TOOL_MODEL, tools: [weather], max_output_tokens: 200, store: false }
    const input = [{ role: 'user', content: weatherQuestion }]
    const response = await ask({ ...more, input })
    const call = callOf(response)
    const final = await ask({ ...more, input: [...input, ...response.output, resultOf(call)] })
    expectAnswer(final)
    expect(final.output_text, "no text after the tool's result")
  },

  async tools_stored() {
    need('TOOL_MODEL')
    const more = { model: TOOL_MODEL, tools: [weather], max_output_tokens: 200 }
    const response = await ask({ ...more, input: weatherQuestion })
    const input = [resultOf(callOf(response))]
    const final = await ask({ ...more, input, previous_response_id: response.id })
    expectAnswer(final)
    expect(final.output_text, "no text after the tool's result")
  },

  async tools_stream() {
    need('TOOL_MODEL')
    const request = { model: TOOL_MODEL, tools: [weather], max_output_tokens: 200, input: weatherQuestion }
    callOf(await client().responses.stream(request).finalResponse())
  },

  async previous_response() {
    const first = await ask(question)
    const second = await ask({ ...question, previous_response_id: first.id })
    expectAnswer(second)
    expect(second.previous_response_id === first.id, `previous_response_id is ${second.previous_response_id}`)
    const [more, less] = [second.usage.input_tokens, first.usage.input_tokens]
    expect(more > less, `with what was said before, the input is ${more} tokens; without, ${less}`)
  },

  async parse() {
    const response = await client().responses.parse({
      model: MODEL,
      input: 'Anna is 31 years old. Who is it?',
      max_output_tokens: 100,
      temperature: 0,
      text: { format: { type: 'json_schema', name: 'person', schema: person, strict: true } },
    })
    const found = JSON.parse(response.output_text)
    expect(found.name !== undefined && Number.isInteger(found.age), `the person is ${response.output_text}`)
  },

  async unknown_model() {
    const error = await failsWith(OpenAI.NotFoundError, () => ask({ model: 'no-such-model', input: 'Hi' }))
    expect(error.error?.message, `the error is ${JSON.stringify(error.error)}`)
  },

  async bad_field() {
    await failsWith(OpenAI.BadRequestError, () => ask({ input: 7 }))
  },
})
