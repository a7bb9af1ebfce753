"""Tiny components with random weights, in the classes of the real pipelines: tokenizers, encoders, VAEs, schedulers."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from diffusers import (
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

WORDS = ("move", "the", "camera", "forward", "turn", "left", "right", "a", "still", "picture", "blur")
TEMPLATE_WORDS = ("go", "straight", "ahead", "rotate", "degrees", "to", "m", "22", "5", ",", ".", "then")
"""What distinguishes the harness's own prompts from each other."""

TEXT_WIDTH = 16


def lively(model: Any, gain: float = 1.5) -> Any:
    """Give a network random weights that keep the size of what passes through.

    Those of a fresh network are small or zero, so that a view or a prompt hardly changes its output.
    """
    torch.manual_seed(7)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            torch.nn.init.normal_(parameter, std=gain / parameter[0].numel() ** 0.5)
        elif not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def word_tokenizer(length: int, extra: tuple[str, ...] = (), letters: int = 0) -> Any:
    """Return a tokenizer that knows a few words and ends every text with ``</s>``.

    Words are cut into pieces of ``letters`` (0: not at all), for templates that count on many tokens.
    """
    names = ("<pad>", "</s>", "<unk>", *extra, *WORDS, *TEMPLATE_WORDS)
    vocabulary = {name: index for index, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    parts = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    if letters:
        pieces = pre_tokenizers.Split(Regex(f".{{1,{letters}}}"), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pieces])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=list(extra),
        model_max_length=length,
    )


def t5_encoder() -> Any:
    """Return a T5 encoder of width `TEXT_WIDTH`."""
    torch.manual_seed(1)
    config = transformers.T5Config(
        vocab_size=64, d_model=TEXT_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return transformers.T5EncoderModel(config).eval()


def umt5_encoder() -> Any:
    """Return a UMT5 encoder of width `TEXT_WIDTH`."""
    torch.manual_seed(1)
    config = transformers.UMT5Config(vocab_size=64, d_model=TEXT_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    return transformers.UMT5EncoderModel(config).eval()


def clip_vision(projected: bool, width: int = 8) -> Any:
    """Return a CLIP image encoder for views of 224 x 224 in patches of 56."""
    torch.manual_seed(2)
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=16,
        projection_dim=width,
        num_attention_heads=2,
        num_hidden_layers=2,
        image_size=224,
        patch_size=56,
    )
    cls = transformers.CLIPVisionModelWithProjection if projected else transformers.CLIPVisionModel
    return cls(config).eval()


def clip_text(vocabulary: int) -> Any:
    """Return a CLIP text encoder of width 8."""
    torch.manual_seed(3)
    config = transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=1,
        projection_dim=8,
        eos_token_id=1,
        bos_token_id=1,
        pad_token_id=0,
    )
    return transformers.CLIPTextModel(config).eval()


def wan_vae(channels: int = 4) -> Any:
    """Return the VAE of Wan 2.1 and Cosmos: 8 x 8 x 4, causal."""
    vae = AutoencoderKLWan(
        base_dim=3,
        z_dim=channels,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * channels,
        latents_std=[1.0] * channels,
    )
    return lively(vae, 1.0)


def wan22_vae() -> Any:
    """Return the VAE of Wan 2.2 5B: 16 x 16 x 4, residual."""
    vae = AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=4,
        z_dim=8,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
        latents_mean=[0.0] * 8,
        latents_std=[1.0] * 8,
    )
    return lively(vae, 1.0)


def ltx_vae(noisy: bool = True) -> Any:
    """Return the VAE of LTX 0.9.1: it draws noise in its decoder, and is told how much there is in the latents."""
    torch.manual_seed(4)
    vae = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False),
        decoder_inject_noise=(False, noisy, False, False),
        upsample_residual=(False, False, False),
        upsample_factor=(1, 1, 1),
        timestep_conditioning=noisy,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    vae.use_framewise_encoding = vae.use_framewise_decoding = False
    for name, parameter in vae.named_parameters():
        if "per_channel_scale" in name:
            torch.nn.init.normal_(parameter)
    return vae.eval()


def hunyuan_vae() -> Any:
    """Return the VAE of HunyuanVideo: 8 x 8 x 4, with norms across time."""
    torch.manual_seed(4)
    return AutoencoderKLHunyuanVideo(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        mid_block_add_attention=True,
    ).eval()


def svd_vae() -> Any:
    """Return the VAE of SVD: 8 x 8, its decoder mixes frames."""
    torch.manual_seed(4)
    return AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        sample_size=32,
    ).eval()


def flow_euler(**options: Any) -> Any:
    """Return the flow-matching Euler scheduler."""
    return FlowMatchEulerDiscreteScheduler(**options)


def flow_unipc() -> Any:
    """Return the scheduler of Wan."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
    )
