"""Which family a model belongs to, what kind of network it is, and how charts draw it: one ordered table for every
architecture.

A pattern has to cover the whole name, so that `levit` never swallows `crossvit`, nor `vit` the twenty other families
whose names hold it. The first row that fits decides: special cases stand before their family. A name that no row fits
is an error that says so, because a model in the wrong family, or quietly in none, makes every count and every chart
wrong.

    from scripts.common import families
    families.family("convnext_tiny_in22ft1k")       # 'convnext'
    families.kind("vit_base_r50_s16_224")           # 'hybrid'
    families.colour("convnext")                     # '#154470', in the light theme

kind: convnet (convolution mixes pixels), transformer (attention does), hybrid (both), mlp (neither). Where the name
leaves it open, the network's paper decides.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from scripts.common.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("convnet", "transformer", "hybrid", "mlp")
SYMBOLS = {"convnet": "circle", "transformer": "diamond", "hybrid": "diamond", "mlp": "square"}

# The eight colours (light, dark); the worst pair under normal, protan, deutan and tritan vision is CIEDE2000 15.2 and
# 16.1 apart.
COLOURS = {
    "vit": ("#6e61d0", "#877af7"),  # indigo
    "convnext": ("#154470", "#75d6fb"),  # blue
    "eva": ("#2ea584", "#559f8c"),  # teal
    "efficientnet": ("#427a4f", "#a8ca96"),  # green
    "resnet": ("#524c00", "#cfd009"),  # olive
    "levit": ("#e3770e", "#b88513"),  # orange
    "beit": ("#692b3a", "#c73758"),  # red
    "vgg": ("#b884b3", "#896592"),  # mauve
}
TEST = "test"  # the family of timm's own test networks
GREY = ("#868686", "#8f8f8f")  # every other family; 3.7:1 on white
KEY_FAMILIES = ("levit", "efficientnet", "resnet", "regnet", "vgg", "convnext", "vit", "beit", "beitv2", "beit3", "eva")
SHARED_COLOUR = {"regnet": "resnet", "beitv2": "beit", "beit3": "beit"}  # drawn in the colour of its next of kin
# How people write the families' names; one that is not here is written as in the table.
_LABELS = """aimv2 AIMv2, beit BEiT, beit3 BEiT-3, beitv2 BEiT v2, botnet BoTNet, caformer CAFormer, cait CaiT,
coat CoaT, coatnet CoAtNet, convformer ConvFormer, convit ConViT, convmixer ConvMixer, convnext ConvNeXt,
cpubone CPUBone, crossvit CrossViT, cspnet CSPNet, cspnext CSPNeXt, csatv2 CSATv2, davit DaViT,
deepseek_vit DeepSeek ViT, deit DeiT, densenet DenseNet, dla DLA, dpn DPN, edgenext EdgeNeXt,
efficientformer EfficientFormer, efficientnet EfficientNet, efficientvim EfficientViM, efficientvit EfficientViT,
eva EVA, fasternet FasterNet, fastvit FastViT, fbnet FBNet, flexivit FlexiViT, focalnet FocalNet, gcvit GC ViT,
gemma4_vit Gemma 4 ViT, gernet GENet, ghostnet GhostNet, gmixer gMixer, gmlp gMLP, halonet HaloNet,
hardcorenas HardCoRe-NAS, hgnet HGNet, hiera Hiera, hrnet HRNet, iformer iFormer, inception Inception,
inception_next InceptionNeXt, lambda LambdaNet, lcnet LCNet, levit LeViT, lowformer LowFormer, mambaout MambaOut,
maxvit MaxViT, mixer MLP-Mixer, mixnet MixNet, mnasnet MnasNet, mobilenet_edgetpu MobileNet-EdgeTPU,
mobilenetv1 MobileNetV1, mobilenetv2 MobileNetV2, mobilenetv3 MobileNetV3, mobilenetv4 MobileNetV4,
mobilenetv5 MobileNetV5, mobileone MobileOne, mobilevit MobileViT, mvitv2 MViTv2, naflexvit NaFlexViT, nasnet NASNet,
nest NesT, nextvit Next-ViT, nfnet NFNet, pit PiT, poolformer PoolFormer, pvt PVT v2, qwen3_vit Qwen3 ViT,
rdnet RDNet, regnet RegNet, repghostnet RepGhostNet, repvgg RepVGG, repvit RepViT, res2net Res2Net, resmlp ResMLP,
resnest ResNeSt, resnet ResNet, rexnet ReXNet, samvit SAM ViT, selecsls SelecSLS, senet SENet, sequencer Sequencer,
shvit SHViT, sknet SKNet, starnet StarNet, swiftformer SwiftFormer, swin Swin, test timm's test models,
tiny_vit TinyViT, tinynet TinyNet, tnt TNT, tresnet TResNet, twins Twins, vgg VGG, visformer Visformer, vit ViT,
vitamin ViTamin, volo VOLO, vovnet VoVNet, xception Xception, xcit XCiT"""
LABELS = dict(item.split(" ", 1) for item in " ".join(_LABELS.split()).split(", "))


class Row(NamedTuple):
    """One line of the table: names that `pattern` covers wholly are of this `family` and `kind`."""

    family: str
    kind: str
    pattern: str


_TABLE = """
# special cases first
test            transformer  test_vit(\\d|_relpos)?
test            hybrid       test_(coatnet|maxvit)
test            convnet      test_(byobnet|convnext\\d?|efficientnet(_evos|_gn|_ln)?|mambaout|nfnet|resnet)
vit             hybrid       vit_(tiny|small|base|large)_(r\\d*|resnet\\d+d?|mci)_.*
mobilenetv4     hybrid       mobilenetv4_hybrid_.*

# the families that matter most
levit           hybrid       levit_.*
convnext        convnet      convnext(v2)?_.*
beit            transformer  beit_.*
beitv2          transformer  beitv2_.*
beit3           transformer  beit3_.*
eva             transformer  eva(02)?_.*
efficientnet    convnet      (tf_|gc_)?efficientnet(v2)?_.*
resnet          convnet      (tv_|gluon_|ssl_|swsl_)?(wide_)?resnet\\d.*
resnet          convnet      resnet(aa|blur|rs|v2_)\\d.*
resnet          convnet      (tv_|gluon_|ig_|ssl_|swsl_)?resnext\\d.*
regnet          convnet      regnet[vxyz]_.*
vgg             convnet      vgg\\d.*
vit             transformer  vit_.*

# other networks of convolutions
convmixer       convnet      convmixer_.*
convformer      convnet      convformer_.*
cspnet          convnet      cs3(se|edge|dark|sedark|se_edge)net_.*
cspnet          convnet      csp(dark|res)ne[tx]t?\\d.*
cspnext         convnet      cspnext_.*
cspnet          convnet      (se)?darknet(aa)?\\d+
densenet        convnet      (tv_)?densenet(blur)?\\d.*
dla             convnet      dla\\d.*
dpn             convnet      dpn\\d.*
fasternet       convnet      fasternet_.*
fbnet           convnet      fbnet(c|v3)_.*
focalnet        convnet      focalnet_.*
gernet          convnet      gernet_.*
ghostnet        convnet      ghostnet(v[23])?_.*
hardcorenas     convnet      hardcorenas_.*
hgnet           convnet      hgnet(v2)?_.*
hrnet           convnet      hrnet_.*
inception       convnet      (adv_|gluon_|tf_)?inception_v\\d
inception       convnet      (ens_adv_)?inception_resnet_v2
inception_next  convnet      inception_next_.*
lcnet           convnet      lcnet(v2)?_.*
mambaout        convnet      mambaout_.*
mixnet          convnet      (tf_)?mixnet_.*
mnasnet         convnet      (se|sp)?(mnasnet|nasnet)_.*
mobilenetv1     convnet      mobilenetv1_.*
mobilenetv2     convnet      mobilenetv2_.*
mobilenetv3     convnet      (tf_)?mobilenetv3_.*
mobilenetv4     convnet      mobilenetv4_conv_.*
mobilenet_edgetpu convnet    mobilenet_edgetpu_.*
mobileone       convnet      mobileone_.*
nasnet          convnet      p?nasneta?\\d?large
nfnet           convnet      (dm_|eca_)?nfnet_.*
nfnet           convnet      nf_(ecaresnet|regnet|resnet|seresnet)_?b?\\d+
rdnet           convnet      rdnet_.*
repghostnet     convnet      repghostnet_.*
repvgg          convnet      repvgg_.*
repvit          convnet      repvit_.*
res2net         convnet      res2ne[tx]t?\\d.*
resnest         convnet      resnest\\d.*
rexnet          convnet      rexnetr?_.*
selecsls        convnet      [sS]elec[sS]ls\\d.*
senet           convnet      (gluon_|legacy_)?(senet|seresnet|seresnext)(aa)?\\d.*
senet           convnet      (eca|gc)(resnet|resnext)(light|\\d.*)
senet           convnet      (eca|bat)_resne[tx]t?\\d.*
sknet           convnet      sk(resnet|resnext)\\d.*
starnet         convnet      starnet_.*
tinynet         convnet      tinynet_.*
tresnet         convnet      tresnet_.*
vovnet          convnet      (ese_|eca_)?vovnet\\d.*
xception        convnet      (gluon_|legacy_)?xception(\\d\\dp?)?

# other transformers
aimv2           transformer  aimv2_.*
cait            transformer  cait_.*
convit          transformer  convit_.*
crossvit        transformer  crossvit_.*
davit           transformer  davit_.*
deepseek_vit    transformer  deepseek_vit_.*
deit            transformer  deit3?_.*
flexivit        transformer  flexivit_.*
gemma4_vit      transformer  gemma4_vit_.*
hiera           transformer  (sam2_)?hiera(det)?_.*
mvitv2          transformer  mvitv2_.*
naflexvit       transformer  naflexvit_.*
nest            transformer  (jx_)?nest_.*
pit             transformer  pit_.*
pvt             transformer  pvt_v2_.*
qwen3_vit       transformer  qwen3_vit_.*
samvit          transformer  samvit_.*
swin            transformer  swin(v2)?_.*
tnt             transformer  tnt_.*
twins           transformer  twins_.*
volo            transformer  volo_.*
xcit            transformer  xcit_.*

# convolution and attention together
botnet          hybrid       (eca_|se)?botne[tx]t?\\d.*
caformer        hybrid       caformer_.*
coat            hybrid       coat_.*
coatnet         hybrid       coatne[tx]t?_.*
cpubone         hybrid       cpubone_.*
csatv2          hybrid       csatv2(_.*)?
edgenext        hybrid       edgenext_.*
efficientformer hybrid       efficientformer(v2)?_.*
efficientvim    hybrid       efficientvim_.*
efficientvit    hybrid       efficientvit_.*
fastvit         hybrid       fastvit_.*
gcvit           hybrid       gcvit_.*
halonet         hybrid       (eca_|se)?halone[tx]t?(\\d.*|_.*)
halonet         hybrid       (halo2botnet|lamhalobotnet)\\d.*
halonet         hybrid       haloregnetz_.*
iformer         hybrid       iformer_.*
lambda          hybrid       lambda_resnet\\d.*
lowformer       hybrid       lowformer_.*
maxvit          hybrid       max(x)?vit(v2)?_.*
mobilenetv5     hybrid       mobilenetv5_.*
mobilevit       hybrid       (se)?mobilevit(v2)?_.*
nextvit         hybrid       nextvit_.*
shvit           hybrid       shvit_.*
swiftformer     hybrid       swiftformer_.*
tiny_vit        hybrid       tiny_vit_.*
visformer       hybrid       visformer_.*
vitamin         hybrid       vitamin_.*

# neither
gmixer          mlp          gmixer_.*
gmlp            mlp          gmlp_.*
mixer           mlp          mixer_.*
poolformer      mlp          poolformer(v2)?_.*
resmlp          mlp          resmlp_.*
sequencer       mlp          sequencer2d_.*
"""

TABLE: tuple[Row, ...] = tuple(Row(*line.split()) for line in _TABLE.splitlines() if line and not line.startswith("#"))
_PATTERNS = [(row, re.compile(row.pattern)) for row in TABLE]


@functools.lru_cache(maxsize=None)
def lookup(arch: str) -> Row | None:
    """The first row whose pattern covers the whole of `arch` (a name without its `.tag`), or None."""
    return next((row for row, pattern in _PATTERNS if pattern.fullmatch(arch)), None)


def check(archs: Iterable[str]) -> None:
    """Raise one UserError that names every architecture without a row and says where to add it."""
    unmapped = sorted({str(arch)[:60] for arch in archs if lookup(arch) is None})
    if unmapped:
        shown = ", ".join(unmapped[:20]) + (f" and {len(unmapped) - 20} more" if len(unmapped) > 20 else "")
        raise UserError(
            f"no family for {len(unmapped)} architecture{'s' * (len(unmapped) > 1)}: {shown}; add a row to the table "
            "in scripts/common/families.py"
        )


def family(arch: str) -> str:
    """Family of one architecture, such as 'convnext'. Raises UserError naming it where no row fits."""
    return _row(arch).family


def kind(arch: str) -> str:
    """'convnet', 'transformer', 'hybrid' or 'mlp'. Raises UserError where no row fits."""
    return _row(arch).kind


def _row(arch: str) -> Row:
    found = lookup(arch)
    if found is None:
        check([arch])
        raise AssertionError(arch)  # never here: check raises
    return found


def contending(table: pd.DataFrame) -> pd.Series:
    """Which rows are none of timm's own test networks, which nobody would pick; by `family`, else by `arch`."""
    return (table["family"] if "family" in table else table["arch"].map(family)) != TEST


def contenders(table: pd.DataFrame) -> pd.DataFrame:
    """`table` without timm's own test networks; all of it where it does not say what a row is."""
    return table[contending(table)] if {"family", "arch"} & set(table) else table


def label(name: str) -> str:
    """How a chart or a page writes the family `name`: 'ConvNeXt' for 'convnext'."""
    return LABELS.get(name, name)


def colour(name: str, dark: bool = False) -> str:
    """The family's colour as #rrggbb: its own, or its next of kin's, else grey."""
    return COLOURS.get(SHARED_COLOUR.get(name, name), GREY)[bool(dark)]
