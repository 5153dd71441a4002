// 0x hex, as storage has it, and bytes, as the runtime has them; values can be megabytes.

export const bytesOf = (hex) => new Uint8Array(Buffer.from(hex.slice(2), 'hex'))

export const hexOf = (bytes) => '0x' + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
