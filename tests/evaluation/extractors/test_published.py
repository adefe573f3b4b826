"""DINOv2, CLIP and VGG16 by weights drawn at random, as small as the files' names allow: against
the layers written out in float64, and the authors' code for what becomes of images before.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch_fidelity.feature_extractor_clip import VisionTransformer
from torchvision import transforms
from torchvision.transforms import functional as TF

from ganlib.commands.scores import self_test
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator, score
from ganlib.evaluation.extractors import clip, dinov2, vgg16
from ganlib.evaluation.extractors.base import Options, extractors, make_extractor
from ganlib.evaluation.extractors.published import (
    Kind,
    Published,
    filled,
    in_our_names,
    make_published,
)

CPU = torch.device("cpu")
WIDTH, DEPTH = 128, 2
State = dict[str, Tensor]


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> State:
    torch.manual_seed(0)
    return {
        name: torch.randn(shape) * 0.1 + ("norm" in name or "ln_" in name)
        for name, shape in shapes.items()
    }


def dinov2_state() -> State:
    """By the authors' names and shapes: the table of positions is of 37 x 37 patches."""
    block = {
        "norm1.weight": (WIDTH,),
        "norm1.bias": (WIDTH,),
        "attn.qkv.weight": (3 * WIDTH, WIDTH),
        "attn.qkv.bias": (3 * WIDTH,),
        "attn.proj.weight": (WIDTH, WIDTH),
        "attn.proj.bias": (WIDTH,),
        "ls1.gamma": (WIDTH,),
        "norm2.weight": (WIDTH,),
        "norm2.bias": (WIDTH,),
        "mlp.fc1.weight": (4 * WIDTH, WIDTH),
        "mlp.fc1.bias": (4 * WIDTH,),
        "mlp.fc2.weight": (WIDTH, 4 * WIDTH),
        "mlp.fc2.bias": (WIDTH,),
        "ls2.gamma": (WIDTH,),
    }
    return drawn(
        {
            "cls_token": (1, 1, WIDTH),
            "pos_embed": (1, 1 + 37 * 37, WIDTH),
            "mask_token": (1, WIDTH),
            "patch_embed.proj.weight": (WIDTH, 3, 14, 14),
            "patch_embed.proj.bias": (WIDTH,),
            **{f"blocks.{i}.{name}": shape for i in range(DEPTH) for name, shape in block.items()},
            "norm.weight": (WIDTH,),
            "norm.bias": (WIDTH,),
        }
    )


def clip_state() -> State:
    """By OpenAI's names; patches of 112 pixels."""
    torch.manual_seed(0)
    visual = VisionTransformer(clip.SIDE, 112, WIDTH, DEPTH, WIDTH // 64, 24)
    shapes = {f"visual.{name}": tuple(t.shape) for name, t in visual.state_dict().items()}
    text = {"transformer.resblocks.0.attn.in_proj_weight": (3, 3), "text_projection": (4, 4)}
    return drawn({**shapes, **text})


def in_hugging_faces_names(state: State) -> State:
    """What its conversion does, which takes attention's one matrix apart."""
    found = {"text_model.final_layer_norm.weight": torch.ones(4)}
    simple = {
        "class_embedding": "vision_model.embeddings.class_embedding",
        "positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "proj": "visual_projection.weight",
    }
    for name, tensor in state.items():
        if not name.startswith("visual."):
            continue
        first, *rest = name.removeprefix("visual.").split(".")
        if (short := ".".join([first, *rest])) in simple:
            found[simple[short]] = tensor.T if short == "proj" else tensor
        elif first in ("ln_pre", "ln_post"):
            norm = {"ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"}[first]
            found[f"vision_model.{norm}.{rest[0]}"] = tensor
        else:
            _, number, *rest = rest
            layer = f"vision_model.encoder.layers.{number}"
            if rest[-1].startswith("in_proj_"):
                kind = rest[-1].removeprefix("in_proj_")
                for part, values in zip("qkv", tensor.chunk(3), strict=True):
                    found[f"{layer}.self_attn.{part}_proj.{kind}"] = values
            else:
                theirs = {"attn": "self_attn", "ln_1": "layer_norm1", "ln_2": "layer_norm2"}
                theirs |= {"c_fc": "fc1", "c_proj": "fc2"}
                found[".".join([layer, *(theirs.get(word, word) for word in rest)])] = tensor
    return found


def attention(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Heads of 64, before they are projected."""
    q, k, v = (h @ weight.T + bias).unflatten(2, (3, -1, 64)).permute(2, 0, 3, 1, 4)
    shares = (q @ k.transpose(2, 3) / 8).softmax(3)
    return (shares @ v).transpose(1, 2).flatten(2)


def tokens(x: Tensor, kernel: Tensor, own: Tensor) -> Tensor:
    """Patches, each times the kernel, behind the class token."""
    side = kernel.shape[-1]
    patches = x.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5)
    patches = patches.flatten(3).flatten(1, 2) @ kernel.flatten(1).T
    return torch.cat([own.view(1, 1, -1).expand(len(x), -1, -1), patches], 1)


def norm(h: Tensor, state: Mapping[str, Tensor], name: str, eps: float) -> Tensor:
    h = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True, correction=0) + eps).sqrt()
    return h * state[f"{name}.weight"] + state[f"{name}.bias"]


def cubic(t: Tensor) -> Tensor:
    """The weights of four neighbours, a = -0.75, at distance t behind the second."""
    a, near, far = -0.75, (t, 1 - t), (t + 1, 2 - t)
    inner = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in near]
    outer = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in far]
    return torch.stack([outer[0], inner[0], inner[1], outer[1]])


def dinov2_written_out(x: Tensor, state: State) -> Tensor:
    s = {name: tensor.double() for name, tensor in state.items()}
    matrix = torch.zeros(16, 37, dtype=torch.float64)
    place = (torch.arange(16, dtype=torch.float64) + 0.5) * 37 / 16.1 - 0.5
    for offset, weights in enumerate(cubic(place - place.floor()), -1):
        column = (place.floor().long() + offset).clamp(0, 36)
        matrix[torch.arange(16), column] += weights
    table = s["pos_embed"][0, 1:].view(37, 37, WIDTH)
    table = torch.einsum("ip,jq,pqd->ijd", matrix, matrix, table).flatten(0, 1)
    h = tokens(x.double(), s["patch_embed.proj.weight"], s["cls_token"])
    h[:, 1:] += s["patch_embed.proj.bias"] + table
    h[:, 0] += s["pos_embed"][0, 0]
    for i in range(DEPTH):
        b = {n.removeprefix(f"blocks.{i}."): t for n, t in s.items() if f"blocks.{i}." in n}
        a = attention(norm(h, b, "norm1", 1e-6), b["attn.qkv.weight"], b["attn.qkv.bias"])
        h = h + b["ls1.gamma"] * (a @ b["attn.proj.weight"].T + b["attn.proj.bias"])
        m = norm(h, b, "norm2", 1e-6) @ b["mlp.fc1.weight"].T + b["mlp.fc1.bias"]
        m = m * (1 + torch.erf(m / 2**0.5)) / 2
        h = h + b["ls2.gamma"] * (m @ b["mlp.fc2.weight"].T + b["mlp.fc2.bias"])
    return norm(h[:, 0], s, "norm", 1e-6)


def clip_written_out(x: Tensor, state: State) -> Tensor:
    s = {n.removeprefix("visual."): t.double() for n, t in state.items() if "visual." in n}
    h = tokens(x.double(), s["conv1.weight"], s["class_embedding"]) + s["positional_embedding"]
    h = norm(h, s, "ln_pre", 1e-5)
    for i in range(DEPTH):
        start = f"transformer.resblocks.{i}."
        b = {n.removeprefix(start): t for n, t in s.items() if n.startswith(start)}
        a = attention(norm(h, b, "ln_1", 1e-5), b["attn.in_proj_weight"], b["attn.in_proj_bias"])
        h = h + a @ b["attn.out_proj.weight"].T + b["attn.out_proj.bias"]
        m = norm(h, b, "ln_2", 1e-5) @ b["mlp.c_fc.weight"].T + b["mlp.c_fc.bias"]
        m = m / (1 + torch.exp(-1.702 * m))
        h = h + m @ b["mlp.c_proj.weight"].T + b["mlp.c_proj.bias"]
    h = norm(h[:, 0], s, "ln_post", 1e-5) @ s["proj"]
    return h / h.norm(dim=1, keepdim=True)


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def trusted(kind: Kind, content: bytes, path: Path, **more: Any) -> Published:
    """The extractor of a file that counts as published."""
    path.write_bytes(content)
    kind = replace(kind, files={sha256(content).hexdigest(): "the file"}, **more)
    return make_published(kind, CPU, Options(weights=path))


def pictures(height: int, width: int, channels: int = 3, n: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(height)
    return torch.randint(256, (n, channels, height, width), generator=random).to(torch.uint8)


def as_pictures(x: Tensor) -> list[Image.Image]:
    return [TF.to_pil_image(image).convert("RGB") for image in x]


def dgm_evals(image: Image.Image) -> Tensor:
    """What dgm-eval's encoder is given, in torchvision's transforms as there."""
    steps = [
        transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC),
        transforms.ToTensor(),
        transforms.Normalize(np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])),
    ]
    found: Tensor = transforms.Compose(steps)(image)
    return found


def cmmds(image: Image.Image) -> Tensor:
    """What the CMMD's embedding is given: its authors crop in whole pixels, and then resize."""
    width, height = image.size
    side = min(width, height)
    box = ((width - side) // 2, (height - side) // 2)
    middle = image.crop((*box, box[0] + side, box[1] + side)).resize((336, 336), Image.BICUBIC)
    pixels = torch.from_numpy(np.asarray(middle).astype(np.float32) / 255).permute(2, 0, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in clip.CHANNELS)
    return (pixels - mean) / std


class Seen(nn.Module):
    """The images that a network is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


@pytest.mark.parametrize(
    ("kind", "theirs"), [(dinov2.DINOV2, dgm_evals), (clip.CLIP, cmmds)], ids=["dinov2", "clip"]
)
@pytest.mark.parametrize(
    "shape", [(32, 32), (28, 28, 1), (64, 37), (301, 400), (224, 224), (336, 336)], ids=str
)
def test_images_are_prepared_as_the_authors_do(
    kind: Kind, theirs: Callable[[Image.Image], Tensor], shape: tuple[int, ...], tmp_path: Path
) -> None:
    x = pictures(*shape)
    extractor = trusted(kind, saved({}), tmp_path / "x.pth", network=lambda state: Seen())
    expected = torch.stack([theirs(image) for image in as_pictures(x)]).flatten(1)
    torch.testing.assert_close(extractor(x).pool, expected, rtol=1e-6, atol=1e-6)
    between = x + torch.where(x > 127, -0.4, 0.4)  # as of samples that stay floats
    assert torch.equal(extractor(between).pool, extractor(x).pool)


def test_dinov2s_network_is_the_authors(tmp_path: Path) -> None:
    state, x = dinov2_state(), pictures(32, 32)
    extractor = trusted(dinov2.DINOV2, saved(state), tmp_path / "x.pth", n_features=WIDTH)
    pool, logits = extractor(x)
    prepared = torch.stack([dgm_evals(image) for image in as_pictures(x)])
    expected = dinov2_written_out(prepared, state)
    assert logits is None and pool.dtype == torch.float32 and pool.shape == (2, WIDTH)
    assert (pool - expected).norm() / expected.norm() < 1e-5
    assert (pool[0] - pool[1]).norm() / pool.norm() > 1e-2


class Half(nn.Module):
    """CLIP as OpenAI's archive has it: its matrices in float16, beside whole numbers."""

    context_length: Tensor

    def __init__(self, state: State) -> None:
        super().__init__()
        self.visual = VisionTransformer(clip.SIDE, 112, WIDTH, DEPTH, WIDTH // 64, 24)
        own = {n.removeprefix("visual."): t for n, t in state.items() if "visual." in n}
        self.visual.load_state_dict(own)
        self.register_buffer("context_length", torch.tensor(77))
        for name, parameter in self.visual.named_parameters():
            if "ln_" not in name:
                parameter.data = parameter.data.half()

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("file", ["openai", "hugging_face"])
def test_clips_network_is_the_authors(file: str, tmp_path: Path) -> None:
    state, x = clip_state(), pictures(40, 50)
    if file == "openai":
        archive = io.BytesIO()
        half = Half(state)
        torch.jit.save(torch.jit.trace(half, x), archive)
        content, state = archive.getvalue(), dict(half.state_dict())
    else:
        content = saved(in_hugging_faces_names(state))
    extractor = trusted(clip.CLIP, content, tmp_path / "x.pt", n_features=24)
    prepared = torch.stack([cmmds(image) for image in as_pictures(x)])
    pool, expected = extractor(x).pool, clip_written_out(prepared, state)
    assert (pool - expected).norm() / expected.norm() < 1e-5
    assert (pool[0] - pool[1]).norm() > 1e-2
    torch.testing.assert_close(pool.norm(dim=1), torch.ones(2))


@pytest.mark.slow
def test_vgg16_is_torch_fidelitys(tmp_path: Path) -> None:
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
    from torchvision.models import vgg16 as vgg

    torch.manual_seed(0)
    content = saved(vgg().state_dict())
    extractor = trusted(vgg16.VGG16, content, tmp_path / "x.pth")
    weights = str(tmp_path / "x.pth")
    theirs = FeatureExtractorVGG16("vgg16", ["fc2_relu"], feature_extractor_weights_path=weights)
    for x in (pictures(32, 32), pictures(224, 224), pictures(300, 200)):
        (expected,), pool = theirs(x), extractor(x).pool
        assert pool.shape == (2, 4096) and expected.std() > 1e-3
        torch.testing.assert_close(pool, expected, rtol=1e-4, atol=1e-5)


def test_the_files_are_those_that_are_published() -> None:
    """Of their hashes, those that a file's name or address begins or holds."""
    assert f"vgg16-{vgg16.SHA256[:8]}.pth" in vgg16.URL
    assert f"/{clip.OPENAI}/" in clip.FILES[clip.OPENAI]
    for kind in (dinov2.DINOV2, clip.CLIP, vgg16.VGG16):
        assert all(len(digest) == 64 for digest in kind.files)
        assert extractors[kind.name] is not None


@pytest.mark.parametrize("name", ["dinov2", "clip", "vgg16"])
def test_other_files_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    kind = {"dinov2": dinov2.DINOV2, "clip": clip.CLIP, "vgg16": vgg16.VGG16}[name]
    with pytest.raises(UserError, match=f"'{name}' has no weights: give --extractor-weights FILE"):
        make_extractor(name)
    file = tmp_path / "x.pth"
    file.write_bytes(saved(dinov2_state()))
    with pytest.raises(UserError, match=f"{kind.title}'s weights is not a published one.* and not"):
        make_extractor(name, CPU, Options(weights=file))
    with pytest.raises(UserError, match="cannot be read"):
        make_extractor(name, CPU, Options(weights=tmp_path / "none.pth"))
    for content in (saved({}), saved([1]), saved(clip_state())[:-500], b"PK", saved({"x": 1})):
        with pytest.raises(UserError, match=f"{kind.title}'s weights does not hold them: give the"):
            trusted(kind, content, file)


@pytest.mark.parametrize("change", ["missing", "shape", "other"])
def test_weights_of_another_architecture_are_refused(change: str, tmp_path: Path) -> None:
    state = dinov2_state()
    if change == "missing":
        del state["blocks.1.mlp.fc1.bias"]
    elif change == "shape":
        state["norm.weight"] = torch.ones(WIDTH + 1)
    else:
        state = clip_state()
    with pytest.raises(UserError, match="DINOv2's weights does not hold them"):
        trusted(dinov2.DINOV2, saved(state), tmp_path / "x.pth")


def test_names_are_replaced_in_order_and_what_is_missing_is_not_made_up() -> None:
    assert list(in_our_names({"a.b": torch.ones(1)}, {"a": "b", r"b\.b": "c"})) == ["c"]
    layer = nn.Linear(1, 1)
    with pytest.raises(KeyError):
        filled(layer, {"weight": torch.ones(1, 1)})
    half = {"weight": torch.ones(1, 1).half(), "bias": torch.ones(1), "more": torch.ones(1)}
    assert filled(layer, half)(torch.ones(1, 1)) == 2 and layer.weight.dtype == torch.float32
    assert not layer.training and not layer.weight.requires_grad


@pytest.mark.filterwarnings("ignore:.*too few:UserWarning")
def test_scores_are_named_by_the_network(tmp_path: Path) -> None:
    extractor = trusted(
        dinov2.DINOV2, saved({}), tmp_path / "x.pth", network=lambda state: Small(), n_features=3
    )
    x = pictures(16, 16, n=40)
    scores = score([x[:20]], {"train": x[20:]}, ["fid", "kid", "prdc", "cmmd", "is"], extractor)
    names = ["precision", "recall", "density", "coverage", "MMD"]
    assert list(scores) == [f"{n}-DINOv2-20-train" for n in ("FD", "KD", *names)]
    protocol = scores["FD-DINOv2-20-train"].protocol
    assert (protocol.extractor, protocol.resize) == ("dinov2", "bicubic of Pillow, to 224x224")
    assert protocol.extractor_digest == sha256(saved({})).hexdigest()
    evaluator = Evaluator(extractor, {"train": x[:20], "test": x[20:]})
    answers = list(self_test._answers("toy", evaluator, lambda *_: None))
    assert answers[0].right and answers[0].text.startswith("FD-DINOv2 of toy, train against itself")
    assert answers[1].right is None and "FD-DINOv2" in answers[1].text


class Small(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1).flatten(1)
