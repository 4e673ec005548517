// Runs the engine in CPython compiled to WebAssembly (npm package pyodide).
// node pyodide_results.mjs PYODIDE.mjs REPOSITORY results.json input.json…  prints JSON.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [modulePath, repository, results, ...inputs] = process.argv.slice(2)
const { loadPyodide } = await import(pathToFileURL(modulePath))
const python = await loadPyodide({ stdout: () => {}, stderr: line => console.error(line) })

function copy (from, to) {
  python.FS.mkdirTree(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      if (entry.name !== '__pycache__') copy(join(from, entry.name), `${to}/${entry.name}`)
    } else if (entry.name.endsWith('.py')) {
      python.FS.writeFile(`${to}/${entry.name}`, readFileSync(join(from, entry.name)))
    }
  }
}

copy(join(repository, 'fundmatch', 'engine'), '/code/fundmatch/engine')
python.FS.writeFile('/code/fundmatch/__init__.py', '')
python.FS.writeFile('/results.json', readFileSync(results))
inputs.forEach((path, number) => python.FS.writeFile(`/input-${number}.json`, readFileSync(path)))
python.globals.set('count', inputs.length)
console.log(await python.runPythonAsync(`
import importlib.util, json, platform, sys
sys.path.insert(0, "/code")
from fundmatch.engine import compute
cases = json.load(open("/results.json"))["results"]
differing = []
for case in cases:
    found = compute(case["input"])
    found.pop("engine")
    if found != case["expected"]:
        differing.append(case["id"])
json.dumps({
    "python": platform.python_version(),
    "numpy": importlib.util.find_spec("numpy") is not None,
    "compared": len(cases),
    "differing": differing,
    "digests": [compute(json.load(open(f"/input-{n}.json")))["result_sha256"] for n in range(count)],
})
`))
