// The functions of the Polkadot host that a runtime imports.
import { cryptoFunctions } from './crypto.mjs'
import { hashingFunctions } from './hashing.mjs'
import { otherFunctions } from './other.mjs'
import { storageFunctions } from './storage.mjs'

// `context` is what the call that is executed works on: it changes with the call. `names` are those
// that the runtime imports: one that is not made here fails when it is called.
export function hostFunctions(names, context) {
  const known = {
    ...storageFunctions(context),
    ...cryptoFunctions(context),
    ...hashingFunctions(context),
    ...otherFunctions(context),
  }
  return Object.fromEntries(names.map((name) => [name, known[name] ?? missing(name)]))
}

const missing = (name) => () => {
  throw new Error(`the runtime calls ${name}, which this executor does not have`)
}
