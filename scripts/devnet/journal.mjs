// The chain on disk: one JSON line for each block, and one wherever blocks were taken back.
import fs from 'node:fs'
import readline from 'node:readline'

export class Journal {
  constructor(path) {
    this.file = fs.openSync(path, 'w')
  }

  wrote(entry) {
    fs.writeSync(this.file, JSON.stringify(entry) + '\n')
  }

  close() {
    fs.closeSync(this.file)
  }
}

/** Plays a saved chain onto a fresh one of the same genesis. */
export async function restore(chain, path) {
  const lines = readline.createInterface({ input: fs.createReadStream(path), crlfDelay: Infinity })
  let number = 0
  for await (const line of lines) {
    number += 1
    try {
      const entry = JSON.parse(line)
      if (entry.back) await chain.reorganise(entry.back)
      else await chain.restore(entry)
    } catch (error) {
      throw new Error(`${path}, line ${number}: ${error.message}; was it saved from this specification?`)
    }
  }
}
