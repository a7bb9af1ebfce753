"""Tiny pipelines in the classes of the published models. Tests save them and load them as real ones are loaded."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers

from tests.wm_plugins.diffusers.tiny_parts import (
    TEXT_WIDTH,
    clip_text,
    clip_vision,
    flow_euler,
    flow_unipc,
    hunyuan_vae,
    lively,
    ltx_vae,
    svd_vae,
    t5_encoder,
    umt5_encoder,
    wan22_vae,
    wan_vae,
    word_tokenizer,
)


def ltx() -> Any:
    """Return a tiny LTX 0.9.1."""
    torch.manual_seed(0)
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=TEXT_WIDTH,
    )
    return diffusers.LTXImageToVideoPipeline(
        scheduler=flow_euler(use_dynamic_shifting=True, shift_terminal=0.1),
        vae=ltx_vae(),
        text_encoder=t5_encoder(),
        tokenizer=word_tokenizer(128),
        transformer=lively(transformer),
    )


def _cosmos_transformer(**options: Any) -> Any:
    torch.manual_seed(0)
    return lively(
        diffusers.CosmosTransformer3DModel(
            in_channels=5,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=2,
            mlp_ratio=2,
            text_embed_dim=TEXT_WIDTH,
            adaln_lora_dim=4,
            max_size=(4, 32, 32),
            patch_size=(1, 2, 2),
            rope_scale=(1.0, 3.0, 3.0),
            concat_padding_mask=True,
            extra_pos_embed_type=None,
            **options,
        )
    )


def cosmos20() -> Any:
    """Return a tiny Cosmos-Predict2."""
    return diffusers.Cosmos2VideoToWorldPipeline(
        text_encoder=t5_encoder(),
        tokenizer=word_tokenizer(512),
        transformer=_cosmos_transformer(),
        vae=wan_vae(),
        scheduler=flow_euler(use_karras_sigmas=True),
        safety_checker=_passing(),
    )


CHAT = (
    "{% for message in messages %}{{ message['role'] }} {% for part in message['content'] %}{{ part['text'] }} "
    "{% endfor %}{% endfor %}"
)


def cosmos25() -> Any:
    """Return a tiny Cosmos-Predict2.5, with a tiny Qwen2.5-VL."""
    tokenizer = word_tokenizer(512)
    tokenizer.chat_template = CHAT
    torch.manual_seed(1)
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": 64,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1000000.0,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
        hidden_size=16,
        vocab_size=64,
        vision_start_token_id=3,
        vision_end_token_id=4,
        vision_token_id=5,
        image_token_id=6,
        video_token_id=7,
    )
    transformer = _cosmos_transformer(
        use_crossattn_projection=True, crossattn_proj_in_channels=32, encoder_hidden_states_channels=TEXT_WIDTH
    )
    return diffusers.Cosmos2_5_PredictBasePipeline(
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        transformer=transformer,
        vae=wan_vae(),
        scheduler=flow_unipc(),
        safety_checker=_passing(),
    )


def _passing() -> Any:
    from cosmos_model import PassThrough

    return PassThrough()


def _wan_transformer(in_channels: int, out_channels: int, **options: Any) -> Any:
    torch.manual_seed(0)
    return lively(
        diffusers.WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=in_channels,
            out_channels=out_channels,
            text_dim=TEXT_WIDTH,
            freq_dim=32,
            ffn_dim=16,
            num_layers=2,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
            **options,
        )
    )


def wan21() -> Any:
    """Return a tiny Wan 2.1 with its image encoder."""
    return diffusers.WanImageToVideoPipeline(
        tokenizer=word_tokenizer(512),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        scheduler=flow_unipc(),
        image_processor=transformers.CLIPImageProcessor(),
        image_encoder=clip_vision(projected=False),
        transformer=_wan_transformer(12, 4, image_dim=8, added_kv_proj_dim=24),
    )


def wan22() -> Any:
    """Return a tiny Wan 2.2 5B: one transformer, a timestep a token."""
    return diffusers.WanImageToVideoPipeline(
        tokenizer=word_tokenizer(512),
        text_encoder=umt5_encoder(),
        vae=wan22_vae(),
        scheduler=flow_unipc(),
        transformer=_wan_transformer(8, 8),
        expand_timesteps=True,
    )


def wan22_14b() -> Any:
    """Return a tiny Wan 2.2 A14B: two experts."""
    return diffusers.WanImageToVideoPipeline(
        tokenizer=word_tokenizer(512),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        scheduler=flow_unipc(),
        transformer=_wan_transformer(12, 4),
        transformer_2=_wan_transformer(12, 4),
        boundary_ratio=0.9,
    )


def svd_unet(added: int = 96) -> Any:
    """Return a tiny UNet of SVD; ``added`` is the width of its added embedding (32 a number)."""
    torch.manual_seed(0)
    return lively(
        diffusers.UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=32,
            in_channels=8,
            out_channels=4,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=8,
            num_attention_heads=2,
            projection_class_embeddings_input_dim=added,
            addition_time_embed_dim=32,
            num_frames=14,
        )
    )


def svd() -> Any:
    """Return a tiny Stable Video Diffusion."""
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        interpolation_type="linear",
        prediction_type="v_prediction",
        use_karras_sigmas=True,
        timestep_spacing="leading",
        timestep_type="continuous",
        steps_offset=1,
        sigma_max=700.0,
        sigma_min=0.002,
    )
    return diffusers.StableVideoDiffusionPipeline(
        vae=svd_vae(),
        image_encoder=clip_vision(projected=True),
        unet=svd_unet(),
        scheduler=scheduler,
        feature_extractor=transformers.CLIPImageProcessor(),
    )


def hunyuan() -> Any:
    """Return a tiny HunyuanVideo image-to-video with a tiny Llava; its pictures take 577 tokens as the real ones do."""
    torch.manual_seed(0)
    transformer = diffusers.HunyuanVideoTransformer3DModel(
        in_channels=9,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=1,
        patch_size_t=1,
        guidance_embeds=True,
        text_embed_dim=16,
        pooled_projection_dim=8,
        rope_axes_dim=(2, 4, 4),
        image_condition_type="latent_concat",
    )
    extra = ("<image>", "<|end_header_id|>", "<|start_header_id|>", "<|eot_id|>")
    tokenizer = word_tokenizer(1024, extra, letters=4)
    text = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=3,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=16,
        projection_dim=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        image_size=336,
        patch_size=14,
    )
    torch.manual_seed(1)
    llava = transformers.LlavaForConditionalGeneration(
        transformers.LlavaConfig(
            vision_config=vision,
            text_config=text,
            pad_token_id=0,
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )
    )
    return diffusers.HunyuanVideoImageToVideoPipeline(
        text_encoder=llava.eval(),
        tokenizer=tokenizer,
        transformer=lively(transformer),
        vae=hunyuan_vae(),
        scheduler=flow_euler(shift=7.0),
        text_encoder_2=clip_text(64),
        tokenizer_2=word_tokenizer(77),
        image_processor=transformers.CLIPImageProcessor(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ),
    )


def cogvideox() -> Any:
    """Return a tiny CogVideoX image-to-video."""
    torch.manual_seed(0)
    transformer = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=8,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=TEXT_WIDTH,
        num_layers=1,
        sample_width=8,
        sample_height=8,
        sample_frames=9,
        patch_size=2,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=False,
    )
    torch.manual_seed(4)
    vae = diffusers.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    return diffusers.CogVideoXImageToVideoPipeline(
        tokenizer=word_tokenizer(226),
        text_encoder=t5_encoder(),
        vae=vae.eval(),
        transformer=lively(transformer),
        scheduler=diffusers.CogVideoXDDIMScheduler(prediction_type="v_prediction"),
    )


def skyreels() -> Any:
    """Return a tiny SkyReels-V2 image-to-video."""
    torch.manual_seed(0)
    transformer = diffusers.SkyReelsV2Transformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=12,
        out_channels=4,
        text_dim=TEXT_WIDTH,
        freq_dim=32,
        ffn_dim=16,
        num_layers=1,
        image_dim=8,
        added_kv_proj_dim=24,
        rope_max_seq_len=32,
    )
    return diffusers.SkyReelsV2ImageToVideoPipeline(
        tokenizer=word_tokenizer(512),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        scheduler=flow_unipc(),
        image_processor=transformers.CLIPImageProcessor(),
        image_encoder=clip_vision(projected=True),
        transformer=lively(transformer),
    )


BY_MODEL = {
    "ltx": ltx,
    "FTltx": ltx,
    "cosmos20": cosmos20,
    "FTcosmos": cosmos20,
    "cosmos25": cosmos25,
    "wan21": wan21,
    "FTwan21": wan21,
    "wan22": wan22,
    "FTwan22": wan22,
    "wan22-14B": wan22_14b,
    "FTwan22-14B": wan22_14b,
    "svd": svd,
    "FTsvd": svd,
    "FTsvd-manip": svd,
    "hunyuan": hunyuan,
    "cogvideox": cogvideox,
    "skyreels": skyreels,
}
"""The tiny pipeline that stands for each model's base."""
