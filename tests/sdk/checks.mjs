// What the Node scripts beside this file share: the environment, finding the packages, running checks.
// The environment and the output are described in openai_chat.py.
//
// NODE_SDK   the folder with node_modules of the packages (default: .cache/node/sdk or what else a script
//            names, of this checkout)

import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

function required(name) {
  if (!process.env[name]) {
    console.error(`set ${name}; openai_chat.py says what it means`)
    process.exit(2)
  }
  return process.env[name]
}

export const BASE_URL = required('BASE_URL').replace(/\/+$/, '')
export const KEY = process.env.KEY ?? 'no-key'
export const MODEL = required('MODEL')
export const TOOL_MODEL = process.env.TOOL_MODEL
export const EMBED_MODEL = process.env.EMBED_MODEL
export const BAD_KEY = process.env.BAD_KEY
export const MAX_TOKENS = Number(process.env.MAX_TOKENS ?? 24)

/** Imports a package from the folder that scripts/setup made, wherever this script is called from. */
export function load(name, part = 'sdk') {
  const folder = process.env.NODE_SDK ?? resolve(here, `../../.cache/node/${part}`)
  const require = createRequire(pathToFileURL(`${folder}/package.json`))
  return import(pathToFileURL(require.resolve(name)))
}

/** The environment does not offer what a check needs. */
export class Skip extends Error {}

export function need(name) {
  if (!process.env[name]) throw new Skip(`${name} is not set`)
}

export function expect(condition, what) {
  if (!condition) throw new Error(what)
}

/** The error that `act` fails with; it must be of the class `kind`. */
export async function failsWith(kind, act) {
  try {
    await act()
  } catch (error) {
    expect(error instanceof kind, `${error.constructor.name} (${error.status}), not ${kind.name}: ${error.message}`)
    return error
  }
  throw new Error(`nothing failed; ${kind.name} was due`)
}

/** Runs the checks whose names were given, or all, and leaves with 1 at the first failure. */
export async function run(checks) {
  const wanted = process.argv.slice(2)
  for (const name of wanted) {
    if (!(name in checks)) {
      console.error(`there is no check ${name}`)
      process.exit(1)
    }
  }
  for (const [name, check] of Object.entries(checks)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    try {
      await check()
      console.log(`ok ${name}`)
    } catch (error) {
      if (error instanceof Skip) {
        console.log(`skip ${name}: ${error.message}`)
        continue
      }
      console.error(error)
      console.error(`FAILED ${name}: ${error.message}`)
      process.exit(1)
    }
  }
  // A kept-alive connection must not keep this process.
  process.exit(0)
}
