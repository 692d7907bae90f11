// Drives a gateway with Vercel's AI SDK, unmodified, through its two packages for OpenAI's dialect. See
// checks.mjs and openai_chat.py. MODEL must be able to fill a JSON schema.

import { BASE_URL, EMBED_MODEL, KEY, MAX_TOKENS, MODEL, TOOL_MODEL } from './checks.mjs'
import { expect, failsWith, load, need, run } from './checks.mjs'

const ai = await load('ai', 'clients')
const { createOpenAI } = await load('@ai-sdk/openai', 'clients')
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible', 'clients')

const baseURL = `${BASE_URL}/v1`
const openai = createOpenAI({ baseURL, apiKey: KEY })
const compatible = createOpenAICompatible({
  name: 'gateway',
  baseURL,
  apiKey: KEY,
  // Without these two it asks for no usage in streams, and for JSON without a schema.
  includeUsage: true,
  supportsStructuredOutputs: true,
})
const packages = {
  // Called plainly, this one would speak the Responses API.
  openai: { model: (name) => openai.chat(name), embedder: (name) => openai.embedding(name) },
  compatible: {
    model: (name) => compatible.chatModel(name),
    embedder: (name) => compatible.embeddingModel(name),
  },
}

const person = ai.jsonSchema({
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
})
const whoIsIt = 'Anna is 31 years old. Who is it?'
// No retries: a failure that the gateway caused must show.
const settings = { maxRetries: 0, temperature: 0, maxOutputTokens: MAX_TOKENS }
const question = { ...settings, system: 'You are brief.', prompt: 'Name two colours.' }

function expectUsage(usage) {
  expect(usage.inputTokens > 0, `inputTokens is ${usage.inputTokens}`)
  expect(usage.outputTokens > 0, `outputTokens is ${usage.outputTokens}`)
}

function expectEnd(reason) {
  expect(['stop', 'length'].includes(reason), `finishReason is ${reason}`)
}

/** A stream's errors are handed to a callback and are otherwise only printed. */
function failing() {
  const seen = []
  return { onError: ({ error }) => seen.push(error), rethrow: () => seen.forEach((error) => { throw error }) }
}

function weatherCall(model) {
  need('TOOL_MODEL')
  const asked = []
  const getWeather = ai.tool({
    description: 'The weather in a city, now.',
    inputSchema: ai.jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }),
    async execute({ city }) {
      asked.push(city)
      return { sky: 'clear', celsius: 4 }
    },
  })
  const call = {
    ...settings,
    model: model(TOOL_MODEL),
    maxOutputTokens: 200,
    prompt: 'What is the weather in Oslo?',
    tools: { get_weather: getWeather },
    stopWhen: ai.stepCountIs(3),
  }
  return { asked, call }
}

const checks = {
  async text({ model }) {
    const { text, usage, finishReason } = await ai.generateText({ ...question, model: model(MODEL) })
    expect(text, 'the answer has no text')
    expectEnd(finishReason)
    expectUsage(usage)
  },

  async stream({ model }) {
    const { onError, rethrow } = failing()
    const result = ai.streamText({ ...question, model: model(MODEL), onError })
    const pieces = []
    for await (const piece of result.textStream) pieces.push(piece)
    rethrow()
    expect(pieces.length > 1, `the pieces are ${JSON.stringify(pieces)}`)
    expect(pieces.join('') === (await result.text), 'the pieces are not the whole')
    expectEnd(await result.finishReason)
    expectUsage(await result.usage)
  },

  async tools({ model }) {
    const { asked, call } = weatherCall(model)
    const { text, steps } = await ai.generateText(call)
    expect(asked.length === 1 && steps.length === 2, `the tool ran ${asked.length} times in ${steps.length} steps`)
    expect(text, "no text after the tool's result")
  },

  async tools_stream({ model }) {
    const { asked, call } = weatherCall(model)
    const { onError, rethrow } = failing()
    const result = ai.streamText({ ...call, onError })
    await result.consumeStream()
    rethrow()
    expect(asked.length === 1, `the tool ran ${asked.length} times`)
    expect(await result.text, "no text after the tool's result")
  },

  async object({ model }) {
    const { object } = await ai.generateObject({
      ...settings,
      model: model(MODEL),
      maxOutputTokens: 100,
      schema: person,
      prompt: whoIsIt,
    })
    expect(object.name && Number.isInteger(object.age), `the object is ${JSON.stringify(object)}`)
  },

  async object_stream({ model }) {
    const { onError, rethrow } = failing()
    const asked = { ...settings, model: model(MODEL), maxOutputTokens: 100, schema: person, prompt: whoIsIt, onError }
    const result = ai.streamObject(asked)
    let states = 0
    for await (const _ of result.partialObjectStream) states += 1
    rethrow()
    const object = await result.object
    expect(states > 1 && object.name, `${states} states, the last ${JSON.stringify(object)}`)
  },

  async embeddings({ embedder }) {
    need('EMBED_MODEL')
    const { embeddings } = await ai.embedMany({ model: embedder(EMBED_MODEL), values: ['one', 'two'], maxRetries: 0 })
    expect(embeddings.length === 2 && embeddings[0].every(Number.isFinite), 'the embeddings are not two vectors')
  },

  async unknown_model({ model }) {
    const act = () => ai.generateText({ ...question, model: model('no-such-model') })
    const error = await failsWith(ai.APICallError, act)
    expect(error.statusCode === 404 && !error.isRetryable, `status ${error.statusCode}: ${error.message}`)
  },
}

const both = Object.entries(packages).flatMap(([name, kit]) =>
  Object.entries(checks).map(([check, act]) => [`${name}_${check}`, () => act(kit)]),
)
await run(Object.fromEntries(both))
