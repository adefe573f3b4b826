"""Write ganlib/sampling/page/runtime.js from onnxruntime-web as npm has it.

Run `npm pack onnxruntime-web@1.30.0`, then `python -m scripts.write_runtime FILE LICENSE`, with
ONNX Runtime's licence, which the package lacks.
"""

import base64
import gzip
import tarfile
from pathlib import Path

import click

from ganlib.__main__ import in_a_sentence
from ganlib.common.io.files import MARK, write_text
from ganlib.sampling.page.writing import HERE, RUNTIME

SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


@click.command()
@click.argument("package", type=click.Path(path_type=Path))
@click.argument("licence", type=click.Path(path_type=Path))
def main(package: Path, licence: Path) -> None:
    """Write the runtime of pages."""
    parts = []
    with tarfile.open(package) as archive:
        for key, name in (("script", SCRIPT), ("wasm", WASM)):
            file = archive.extractfile(f"package/dist/{name}")
            assert file is not None
            packed = gzip.compress(file.read(), 9, mtime=0)
            parts.append(f'{key}: "{base64.b64encode(packed).decode()}"')
    terms = licence.read_text("utf-8").strip()
    what = f"ONNX Runtime Web, of {package.name}, packed as gzip and base64."
    text = f"// {MARK}\n/* {what}\n\n{terms}\n*/\n"
    write_text(HERE / RUNTIME, f"{text}globalThis.ganlibRuntime = {{ {', '.join(parts)} }};\n")


if __name__ == "__main__":
    in_a_sentence(main)
