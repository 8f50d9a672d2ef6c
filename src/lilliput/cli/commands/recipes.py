"""`lilliput recipes`: list and show the built-in recipes."""

import json
from typing import Annotated

import typer

app = typer.Typer(
    help="List the recipes, or show one with its comments.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def list_recipes(
    context: typer.Context,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per recipe, for programs.")] = False,
) -> None:
    """List the recipes, or show one with its comments."""
    if context.invoked_subcommand is not None:
        return
    from lilliput.recipe import named_recipe, recipe_names

    recipes = [named_recipe(name) for name in recipe_names()]
    rows = [
        {"name": recipe.name, "description": recipe.description, "minutes": recipe.expected and recipe.expected.minutes}
        for recipe in recipes
    ]
    if json_:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import table

    Console(highlight=False).print(table(rows, ["name", "description", "minutes"]))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a recipe.")],
    json_: Annotated[
        bool, typer.Option("--json", help="Print the recipe and the model's parameters as one JSON object.")
    ] = False,
) -> None:
    """Print a recipe's file."""
    from lilliput.recipe import named_recipe, recipe_source

    recipe = named_recipe(name)  # raises for an unknown name
    if not json_:
        typer.echo(recipe_source(name), nl=False)
        return
    from lilliput.training.sizes import parameters_of

    typer.echo(json.dumps({"recipe": recipe.as_dict(), "parameters": parameters_of(recipe)}))
