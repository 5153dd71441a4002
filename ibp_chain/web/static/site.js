// Copy buttons: without a script they are not shown, and nothing else needs one.
function show(root) {
  for (const button of root.querySelectorAll('button.copy[hidden]')) button.hidden = false
}

document.addEventListener('click', async (event) => {
  const button = event.target instanceof Element && event.target.closest('button.copy')
  if (!button) return
  let told = 'done'
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
  } catch {
    told = 'failed' // the browser does not let this page write there
  }
  button.dataset.told = told
  setTimeout(() => delete button.dataset.told, 1200)
})
document.addEventListener('htmx:afterSwap', () => show(document))
show(document)
