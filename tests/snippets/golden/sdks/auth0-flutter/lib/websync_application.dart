// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "lib/websync_application.dart". Where visitors log in, replace
//   auth0.webAuthentication().login()
// by
//   auth0.webAuthentication().login(parameters: websyncParameters(profileId, values))
import 'dart:convert';

// The parameters that carry BlueConic's values through the login. What is missing or too long is left out.
// Give it what BlueConic's mobile SDK tells you: the profile's id, and lists of values by the ids of their properties.
Map<String, String> websyncParameters(String? profileId, [Map<String, List<String>> values = const {}]) {
  final parameters = <String, String>{};
  if (profileId != null && RegExp(r'^[A-Za-z0-9-]{1,64}$').hasMatch(profileId)) {
    parameters["ext-bc_profile_id"] = profileId;
  }
  // Profile property and the login parameter that carries it.
  const names = {
    "newsletter": "ext-bcp_newsletter",
    "favouriteCategory": "ext-bcp_favouritecategory_ucudav",
    "first_visit": "ext-bcp_first_visit",
  };
  names.forEach((property, parameter) {
    final value = _encodeValues(values[property] ?? const []);
    if (value != null) parameters[parameter] = value;
  });
  return parameters;
}

// Texts in the alphabet that Auth0 lets through ("~" for "%", "*" between texts); null if there is nothing to send.
String? _encodeValues(List<String> texts) {
  final plain = RegExp(r'[A-Za-z0-9_.-]');
  String escape(int byte) {
    final letter = String.fromCharCode(byte);
    return plain.hasMatch(letter) ? letter : '~' + byte.toRadixString(16).toUpperCase().padLeft(2, '0');
  }

  final filled = texts.where((text) => text.isNotEmpty);
  final encoded = filled.map((text) => utf8.encode(text).map(escape).join()).join('*');
  return encoded.isEmpty || encoded.length > 255 ? null : encoded;
}
