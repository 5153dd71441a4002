// Errors that a client is told; the codes are those of a Substrate node where it has one.

export class RpcError extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

export const METHOD_NOT_FOUND = -32601
export const INVALID_PARAMS = -32602

export const invalidParams = (message) => new RpcError(INVALID_PARAMS, message)

export const unknownBlock = (hash) =>
  new RpcError(4003, `Client error: UnknownBlock: Header was not found in the database: ${hash}`)
