// JSON-RPC 2.0 over HTTP and WebSocket, on one port of the loopback interface.
import http from 'node:http'
import { randomUUID } from 'node:crypto'
import { WebSocketServer } from 'ws'
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from './rpc/errors.mjs'

const HOST = '127.0.0.1'
const MAX_REQUEST_BYTES = 2 ** 28
const KEEP_ALIVE_MS = 10 * 60 * 1000
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

// A server that holds its port, and answers once `serve` gives it methods.
export async function listen(port) {
  // Idle connections are the clients' to close: what one sends just before the server does is lost.
  const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS })
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  return server
}

// Answers with `methods`; returns how to stop.
export function serve(server, methods) {
  server.on('request', (request, response) => answerHttp(methods, request, response))
  const sockets = new WebSocketServer({
    server,
    maxPayload: MAX_REQUEST_BYTES,
    verifyClient: ({ req }) => mayTalk(req),
  })
  sockets.on('connection', (socket) => converse(methods, socket))
  return () => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  }
}

// A web page that somebody happens to have open must not steer this chain.
const mayTalk = (request) => request.headers.origin === undefined || LOOPBACK_ORIGIN.test(request.headers.origin)

async function answerHttp(methods, request, response) {
  const end = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? '' : JSON.stringify(body))
  }
  if (!mayTalk(request)) return end(403, failure(null, -32000, 'requests from web pages are refused'))
  if (request.method !== 'POST') return end(405, failure(null, -32600, 'JSON-RPC is sent with POST'))
  const parts = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > MAX_REQUEST_BYTES) return end(413, failure(null, -32600, 'the request is too long'))
    parts.push(part)
  }
  end(200, await answer(methods, Buffer.concat(parts).toString(), NO_SUBSCRIPTIONS))
}

const NO_SUBSCRIPTIONS = {
  newId: randomUUID,
  subscribe() {
    throw new RpcError(-32000, 'subscriptions need a WebSocket')
  },
  unsubscribe: () => false,
}

function converse(methods, socket) {
  const open = new Map() // subscription id to what ends it
  const send = (message) => socket.readyState === socket.OPEN && socket.send(JSON.stringify(message))
  const subscriptions = {
    newId: randomUUID,
    subscribe(method, id, cancel = () => {}) {
      open.set(id, cancel)
      const notify = (result) => open.has(id) && send({ jsonrpc: '2.0', method, params: { subscription: id, result } })
      notify.soon = (result) => setTimeout(() => notify(result()), 20) // behind the reply with its id
      return notify
    },
    unsubscribe(id) {
      const cancel = open.get(id)
      open.delete(id)
      cancel?.(id)
      return cancel !== undefined
    },
  }
  const end = () => {
    for (const id of [...open.keys()]) subscriptions.unsubscribe(id)
  }
  socket.on('message', async (text) => send(await answer(methods, text.toString(), subscriptions)))
  socket.on('close', end)
  socket.on('error', end)
}

const failure = (id, code, message) => ({ jsonrpc: '2.0', id, error: { code, message } })

async function answer(methods, text, subscriptions) {
  let request
  try {
    request = JSON.parse(text)
  } catch {
    return failure(null, -32700, 'Parse error: no JSON')
  }
  if (!Array.isArray(request)) return answerOne(methods, request, subscriptions)
  if (request.length === 0) return failure(null, -32600, 'Invalid request: an empty batch')
  return Promise.all(request.map((one) => answerOne(methods, one, subscriptions)))
}

async function answerOne(methods, request, subscriptions) {
  const { id = null, method, params = [] } = request ?? {}
  if (typeof method !== 'string') return failure(id, -32600, 'Invalid request: no method')
  if (!Object.hasOwn(methods, method)) return failure(id, METHOD_NOT_FOUND, `Method not found: ${method}`)
  if (!Array.isArray(params)) return failure(id, INVALID_PARAMS, 'params are a list')
  try {
    return { jsonrpc: '2.0', id, result: (await methods[method](params, subscriptions)) ?? null }
  } catch (error) {
    return failure(id, Number.isInteger(error?.code) ? error.code : -32603, error?.message ?? String(error))
  }
}
