// Every method there is: ours first, what chopsticks answers well behind them.
import { allHandlers } from '@acala-network/chopsticks-core'
import { authorMethods } from './author.mjs'
import { chainMethods } from './chain.mjs'
import { devMethods } from './dev.mjs'
import { stateMethods } from './state.mjs'

export function rpcMethods(chain, pool) {
  const context = { chain, pool }
  const inherited = Object.entries(allHandlers).map(([name, handler]) => [
    name,
    (params, subscriptions) => handler({ chain }, params, subscriptions),
  ])
  const methods = {
    ...Object.fromEntries(inherited),
    ...chainMethods(context),
    ...stateMethods(context),
    ...authorMethods(context),
    ...devMethods(context),
  }
  methods.rpc_methods = async () => ({ version: 1, methods: Object.keys(methods).sort() })
  return methods
}
