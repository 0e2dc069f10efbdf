"""Shader graphs of the head: skin, eyes, teeth, gums, tongue, cloth, hair, for a look. Blender 4.2 to 5.2.

Graphs read point attributes that `appearance.dress` writes on the mesh; a missing attribute reads as zero, so that the
same skin works on a head without regions. Every texture is computed in the shader: a .blend needs no other file.
"""

from __future__ import annotations

import bpy

from ..head_presets import Colour, Look
from .graph import Graph

EYE = "erlnet_eye"  # (V, 3) place on the eyeball in units of its radius, +Z through the pupil
_GREY = (0.25, 0.235, 0.22)
_PUPIL, IRIS = 0.185, 0.50  # radii on the eyeball, in units of its own


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with this share of `b`."""
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
    )


def scaled(colour: Colour, *factors: float) -> Colour:
    """A colour times one factor, or one for each channel."""
    r, g, b = factors if len(factors) == 3 else factors * 3
    return colour[0] * r, colour[1] * g, colour[2] * b


def _skin(g: Graph, look: Look) -> None:
    skin, deep = look.skin, look.skin_deep
    speckle = g.noise(300, 3)
    colour = g.mix(g.ramp(g.noise(48, 3), 0.3, 0.7), blend(skin, deep, 0.16), scaled(skin, 1.05, 1.08, 1.07))
    colour = g.mix(g.scaled(g.ramp(speckle, 0.42, 0.78), 0.42), colour, blend(skin, deep, 0.62))
    if look.freckles > 0:
        spots = g.ramp(g.noise(680, 1), 0.60, 0.74)
        where = g.math("ADD", g.scaled("flush", 0.9), 0.12)
        colour = g.mix(g.scaled(g.math("MULTIPLY", spots, where), look.freckles), colour, scaled(deep, 0.62, 0.7, 0.7))
    colour = g.mix(g.scaled("flush", 0.55), colour, blend(skin, deep, 0.85))
    colour = g.mix(g.scaled("under_eye", 0.55), colour, scaled(skin, 0.62, 0.50, 0.55))
    colour = g.mix(g.scaled("lids", 0.40), colour, scaled(skin, 0.74, 0.58, 0.55))
    if look.beard > 0:
        stubble = g.math("MULTIPLY", g.math("ADD", g.ramp(g.noise(1500, 1), 0.40, 0.62), 0.55), look.beard * 0.55)
        colour = g.mix(g.scaled("beard", stubble), colour, blend(scaled(skin, 0.34, 0.38, 0.42), look.hair_dark, 0.3))
    if look.age_lines > 0:
        colour = g.mix(g.scaled("creases", 0.35 * look.age_lines), colour, blend(scaled(skin, 0.55), deep, 0.5))
    colour = g.mix(g.scaled("brow_shadow", 0.38), colour, blend(scaled(skin, 0.5), look.brow, 0.5))
    colour = g.mix(g.scaled("lips", 0.85), colour, g.mix(speckle, scaled(look.lips, 0.82, 0.74, 0.76), look.lips))
    colour = g.mix(g.scaled("lid_rim", 0.45), colour, blend(deep, (0.62, 0.30, 0.27), 0.5))
    # The hairline is as ragged as the hair.
    ragged = g.math("ADD", g.mask("scalp"), g.math("MULTIPLY", g.math("SUBTRACT", speckle, 0.5), 0.9))
    colour = g.mix(g.scaled(g.ramp(ragged, 0.15, 0.95), 0.80), colour, blend(look.hair_dark, scaled(skin, 0.35), 0.22))
    colour = g.mix(g.mask("mouth_bag"), colour, (0.48, 0.135, 0.115))
    colour = g.mix(g.scaled("nostrils", 0.9), colour, scaled(deep, 0.20, 0.12, 0.12))
    g.set(Base_Color=colour, Specular_IOR_Level=0.42)
    g.scatter(0.45, 0.0040, (1.0, 0.36, 0.18))
    # Light that flesh passes on inside the mouth, further than a few bounces carry it.
    g.set(Emission_Color=(0.40, 0.075, 0.060), Emission_Strength=g.scaled("mouth_bag", 0.05))
    rough = g.sum(
        g.math("ADD", g.scaled(speckle, 0.22), 0.43),
        g.scaled("oil", -0.13), g.scaled("lips", -0.14), g.scaled("lid_rim", -0.24), g.scaled("scalp", 0.3),
        g.scaled("mouth_bag", -0.2), g.scaled("beard", 0.08),
    )  # fmt: skip
    g.set(Roughness=rough)
    g.bump(_relief(g, look), 1.0, 0.001)


def _relief(g: Graph, look: Look):
    """Height of the skin in millimetres: pores, the grain between them, lines of the lips, lines of age."""
    lips = g.mask("lips")
    # Over the lips the grain stretches to lines from inside out.
    grain = g.node("ShaderNodeTexNoise")
    grain.inputs["Scale"].default_value = 1.0
    grain.inputs["Detail"].default_value = 3.0
    g.put(grain.inputs["Vector"], g.stretched(g.rest(), g.mix(lips, (430.0, 430.0, 430.0), (950.0, 130.0, 130.0))))
    pores = g.node("ShaderNodeTexVoronoi")
    g.put(pores.inputs["Scale"], 1050.0)
    g.put(pores.inputs["Vector"], g.rest())
    depth = g.math("ADD", g.scaled("oil", 0.07), 0.06)
    dips = g.math("MULTIPLY", g.ramp(pores.outputs["Distance"], 0.05, 0.45), depth)
    height = g.math("ADD", g.math("MULTIPLY", grain.outputs[0], 0.26), dips)
    if look.age_lines > 0:
        _, up, _ = g.parts(g.rest())
        waves = g.math("SINE", g.math("ADD", g.scaled(up, 950.0), g.scaled(g.noise(38, 3), 14.0)))
        furrows = g.scaled("wrinkles", g.scaled(g.ramp(waves, -0.95, -0.3), 0.26 * look.age_lines))
        height = g.sum(height, furrows, g.scaled("creases", -0.9 * look.age_lines))
    return height


def _eye(g: Graph, look: Look) -> None:
    x, y, z = g.parts(g.vector(EYE))
    radius = g.math("SQRT", g.math("ADD", g.math("MULTIPLY", x, x), g.math("MULTIPLY", y, y)))
    behind = g.math("LESS_THAN", z, 0.0)
    radius = g.math("ADD", radius, g.math("MULTIPLY", behind, 2.0))
    angle = g.math("ARCTAN2", x, y)
    polar = g.node("ShaderNodeCombineXYZ")
    g.put(polar.inputs[0], g.math("MULTIPLY", g.math("SINE", angle), 7.0))
    g.put(polar.inputs[1], g.math("MULTIPLY", g.math("COSINE", angle), 7.0))
    g.put(polar.inputs[2], g.math("MULTIPLY", radius, 2.5))
    fibres = g.ramp(g.noise(2.2, 4, polar.outputs[0]), 0.32, 0.68)
    inner, outer = look.iris
    near = g.mix(fibres, scaled(inner, 0.55), scaled(inner, 1.35))
    far = g.mix(fibres, scaled(outer, 0.5), scaled(outer, 1.5))
    # A wavy collarette parts the zone of the pupil from the rest of the iris.
    collarette = g.math("ADD", radius, g.math("MULTIPLY", fibres, 0.05))
    iris = g.mix(g.ramp(collarette, 0.26, 0.36), near, far)
    iris = g.mix(g.ramp(radius, IRIS - 0.085, IRIS), iris, scaled(outer, 0.16))
    iris = g.mix(g.ramp(radius, _PUPIL - 0.012, _PUPIL + 0.012), (0.0015, 0.0015, 0.0015), iris)
    veins = g.ramp(g.math("ABSOLUTE", g.math("SUBTRACT", g.noise(2.6, 4, g.vector(EYE)), 0.5)), 0.035, 0.0)
    white = g.mix(g.noise(110, 3), (0.60, 0.545, 0.50), (0.52, 0.455, 0.42))
    white = g.mix(g.ramp(radius, 0.58, 1.0), white, (0.47, 0.275, 0.235))
    redder = g.math("MULTIPLY", veins, g.ramp(radius, 0.58, 0.95))
    white = g.mix(g.scaled(redder, 0.42), white, (0.40, 0.09, 0.07))
    white = g.mix(g.ramp(radius, IRIS + 0.09, IRIS), white, (0.30, 0.27, 0.26))
    sclera = g.ramp(radius, IRIS - 0.01, IRIS + 0.035)
    g.set(Base_Color=g.mix(sclera, iris, white), Specular_IOR_Level=0.15, Roughness=0.4)
    # Tears make all of it shine, but only the cornea is a mirror.
    g.set(Coat_Weight=g.math("SUBTRACT", 1.0, g.scaled(sclera, 0.72)))
    g.set(Coat_Roughness=g.math("ADD", g.scaled(sclera, 0.14), 0.03))


def _teeth(g: Graph, look: Look) -> None:
    colour = g.mix(g.noise(180, 2), (0.80, 0.72, 0.57), (0.72, 0.63, 0.48))
    g.set(Base_Color=colour, Roughness=0.24, Specular_IOR_Level=0.45)
    g.scatter(0.35, 0.0012, (1.0, 0.8, 0.6))


def _gums(g: Graph, look: Look) -> None:
    g.set(Base_Color=g.mix(g.noise(300, 2), (0.56, 0.20, 0.18), (0.44, 0.125, 0.115)), Roughness=0.26)
    g.scatter(0.3, 0.002)


def _tongue(g: Graph, look: Look) -> None:
    g.set(Base_Color=g.mix(g.noise(260, 3), (0.52, 0.19, 0.17), (0.42, 0.115, 0.105)), Roughness=0.36)
    g.scatter(0.3, 0.003)
    g.bump(g.noise(900, 3), 0.3, 0.0005)


def _cloth(g: Graph, look: Look) -> None:
    weave = g.noise(600, 4)
    g.set(Base_Color=g.mix(weave, scaled(look.cloth, 0.8), scaled(look.cloth, 1.2)), Roughness=0.85, Sheen_Weight=0.3)
    g.bump(weave, 0.4, 0.001)


def _hair(g: Graph, look: Look) -> None:
    chance = g.node("ShaderNodeHairInfo").outputs["Random"]
    colour = g.mix(chance, look.hair_dark, look.hair_light)
    if look.grey > 0:
        grey = g.math("LESS_THAN", g.math("FRACT", g.math("MULTIPLY", chance, 7.31)), look.grey)
        colour = g.mix(g.scaled(grey, 0.8), colour, _GREY)
    g.set(Base_Color=colour, Roughness=0.42, Specular_IOR_Level=0.45)


def _brow(g: Graph, look: Look) -> None:
    hairs = g.ramp(g.noise(900, 1), 0.35, 0.65)
    colour = g.mix(hairs, scaled(look.brow, 0.7), scaled(look.brow, 1.9, 1.75, 1.6))
    if look.grey > 0:
        colour = g.mix(g.scaled(g.ramp(g.noise(1300, 1), 0.50, 0.62), 0.6 * look.grey), colour, _GREY)
    g.set(Base_Color=colour, Roughness=0.6, Specular_IOR_Level=0.15)


def _lash(g: Graph, look: Look) -> None:
    g.set(Base_Color=blend(look.brow, (0.0, 0.0, 0.0), 0.6), Roughness=0.5, Specular_IOR_Level=0.3)


# The builder of each material, and its colour in Solid view: a field of the look, or one for all.
_MATERIALS = {
    "skin": (_skin, "skin"),
    "eye": (_eye, (0.68, 0.64, 0.60)),
    # The same graph: a slot of its own lets eyes have a gaze in Solid view.
    "iris": (_eye, (0.035, 0.022, 0.015)),
    "teeth": (_teeth, (0.72, 0.66, 0.55)),
    "gums": (_gums, (0.45, 0.16, 0.15)),
    "tongue": (_tongue, (0.45, 0.16, 0.15)),
    "cloth": (_cloth, "cloth"),
    "hair": (_hair, "hair_light"),
    "brow": (_brow, "brow"),
    "lash": (_lash, (0.01, 0.008, 0.006)),
}


def material(kind: str, look: Look) -> bpy.types.Material:
    """The look's material of this kind: skin, eye, iris, teeth, gums, tongue, cloth, hair, brow, lash; one a file."""
    name = f"ERLNet {look.name} {kind}"
    found = bpy.data.materials.get(name)
    if found is not None:
        return found
    build, solid = _MATERIALS[kind]
    made = bpy.data.materials.new(name)
    build(Graph(made), look)
    made.diffuse_color = (*(getattr(look, solid) if isinstance(solid, str) else solid), 1.0)
    made.roughness = 0.55  # of Solid view
    return made
